//! The client library that the fleet uses reads the answers with its own, strict types.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    CreateChatCompletionResponse, CreateChatCompletionStreamResponse, FinishReason,
};
use futures::StreamExt;
use serde_json::json;

use crate::support::{Running, chat};

fn client(sim: &Running) -> Client<OpenAIConfig> {
    Client::with_config(OpenAIConfig::new().with_api_base(sim.url("/v1")).with_api_key("none"))
}

#[tokio::test]
async fn async_openai_reads_a_whole_answer() {
    let sim = Running::start().await;
    let answer: CreateChatCompletionResponse =
        client(&sim).chat().create_byot(chat("hello", false)).await.unwrap();
    assert_eq!(answer.choices[0].finish_reason, Some(FinishReason::Stop));
    assert_eq!(answer.usage.unwrap().completion_tokens, 24);
}

#[tokio::test]
async fn async_openai_reads_a_stream() {
    let sim = Running::start().await;
    let mut body = chat("hello", true);
    body["stream_options"] = json!({"include_usage": true});
    let mut stream = client(&sim).chat().create_stream_byot(body).await.unwrap();
    let mut text = String::new();
    let mut tokens = None;
    while let Some(chunk) = stream.next().await {
        let chunk: CreateChatCompletionStreamResponse = chunk.unwrap();
        tokens = chunk.usage.map(|usage| usage.completion_tokens).or(tokens);
        text.extend(chunk.choices.into_iter().filter_map(|choice| choice.delta.content));
    }
    assert_eq!(text, sim.whole("hello").await.content());
    assert_eq!(tokens, Some(24));
}
