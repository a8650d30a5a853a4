//! The client library that the fleet uses reads the answers with its own, strict types.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    CreateChatCompletionResponse, CreateChatCompletionStreamResponse, FinishReason,
};
use async_openai::types::embeddings::CreateEmbeddingResponse;
use async_openai::types::responses::{
    OutputItem, OutputMessageContent, Response, ResponseStreamEvent, Status,
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

fn text(response: &Response) -> &str {
    match &response.output[0] {
        OutputItem::Message(message) => match &message.content[0] {
            OutputMessageContent::OutputText(part) => &part.text,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn async_openai_reads_a_response_whole_and_streamed() {
    let sim = Running::start().await;
    let client = client(&sim);
    let body = json!({"model": "m", "input": "hello"});
    let whole: Response = client.responses().create_byot(&body).await.unwrap();
    assert_eq!((whole.status.clone(), whole.model.as_str()), (Status::Completed, "m"));
    assert_eq!(whole.usage.as_ref().unwrap().output_tokens, 24);

    let body = json!({"model": "m", "input": "hello", "stream": true});
    let mut stream = client.responses().create_stream_byot(body).await.unwrap();
    let (mut deltas, mut last) = (String::new(), None);
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            ResponseStreamEvent::ResponseOutputTextDelta(event) => deltas += &event.delta,
            ResponseStreamEvent::ResponseCompleted(event) => last = Some(event.response),
            _ => assert!(last.is_none(), "an event after the last"),
        }
    }
    assert_eq!(deltas, text(&whole));
    assert_eq!(text(&last.expect("it ends with the whole response")), deltas);
}

#[tokio::test]
async fn async_openai_reads_embeddings() {
    let sim = Running::start().await;
    let body = json!({"model": "m", "input": ["a", "b"], "dimensions": 8});
    let answer: CreateEmbeddingResponse =
        client(&sim).embeddings().create_byot(body).await.unwrap();
    assert_eq!(answer.data.iter().map(|e| e.embedding.len()).collect::<Vec<_>>(), [8, 8]);
    assert!(answer.usage.prompt_tokens > 0);
}
