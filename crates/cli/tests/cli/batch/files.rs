//! What comes of a file.

use super::room::{Room, lines, prompts};

#[tokio::test]
async fn each_line_of_text_is_a_task_and_the_same_prompt_twice_is_two() {
    let room = Room::with("in.txt", "same\n\n  \nother\r\nsame\n").await;
    room.supervisor.book().instant = true;
    let ran = room.run(&["in.txt", "--wait", "--out", "out.jsonl"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert_eq!(room.ids(), ["1", "4", "5"]);
    let texts: Vec<_> = room.results().iter().map(|line| line["text"].clone()).collect();
    assert_eq!(texts, ["SAME", "OTHER", "SAME"]);
    assert!(ran.stderr.contains("3 tasks ended: 3 completed, 0 failed"), "{}", ran.stderr);
}

#[tokio::test]
async fn without_wait_the_group_is_printed_and_nobody_waits() {
    let room = Room::with("my prompts.txt", prompts(3)).await;
    let ran = room.run(&["my prompts.txt"]).await;
    let group = ran.stdout.trim_end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(group.starts_with("my-prompts-"), "{group}");
    assert!(room.supervisor.book().tasks.iter().all(|task| task.group == group));
    assert!(ran.stderr.contains("3 tasks accepted"), "{}", ran.stderr);
    let ran = room.run(&["my prompts.txt", "--json"]).await;
    let said = &lines(&ran.stdout)[0];
    assert_eq!(
        (&said["tasks"], &said["new"], &said["existing"]),
        (&3.into(), &0.into(), &3.into())
    );
}

#[tokio::test]
async fn without_out_results_go_to_standard_output_and_a_closed_pipe_is_quiet() {
    let room = Room::with("in.txt", prompts(3)).await;
    room.supervisor.book().instant = true;
    let ran = room.run(&["in.txt", "--wait"]).await;
    assert_eq!((ran.code, lines(&ran.stdout).len()), (Some(0), 3), "{ran:?}");
    let mut child = room.submit(&["in.txt", "--wait"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran: crate::support::Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stderr.to_lowercase().contains("pipe"), "{}", ran.stderr);
}

#[tokio::test]
async fn json_lines_and_files_of_the_openai_batch_api_are_taken() {
    let input = concat!(
        r#"{"id": "a", "content": "hi", "model": "m", "labels": {"k": "v"}, "priority": 3}"#,
        "\n",
        r#"{"custom_id": "b", "method": "POST", "url": "/v1/embeddings", "body": {"input": "x"}}"#,
        "\n",
    );
    let room = Room::with("in.jsonl", input).await;
    room.supervisor.book().instant = true;
    let ran = room.run(&["in.jsonl", "--wait", "--out", "out.jsonl", "--label", "all=1"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let book = room.supervisor.book();
    assert_eq!((book.specs[0].model.as_str(), book.specs[0].priority), ("m", 3));
    assert_eq!(
        (&book.specs[0].labels["k"], &book.specs[0].labels["all"]),
        (&"v".into(), &"1".into())
    );
    let request = book.specs[1].request.clone().unwrap();
    assert_eq!(
        (request.endpoint.as_str(), request.body.as_str()),
        ("/v1/embeddings", r#"{"input": "x"}"#)
    );
    let results = room.results();
    assert_eq!((&results[0]["id"], &results[0]["text"]), (&"a".into(), &"HI".into()));
    assert_eq!((&results[1]["id"], &results[1]["body"]["input"]), (&"b".into(), &"x".into()));
}

#[tokio::test]
async fn a_failed_task_ends_with_1_and_says_why_in_its_line() {
    let room = Room::with("in.txt", prompts(2)).await;
    assert_eq!(room.run(&["in.txt"]).await.code, Some(0));
    room.supervisor.book().complete(0);
    room.supervisor.book().fail(1);
    let ran = room.run(&["in.txt", "--wait", "--out", "out.jsonl"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let results = room.results();
    let failed = results.iter().find(|line| line["id"] == "2").unwrap();
    assert_eq!(failed["state"], "failed");
    assert_eq!(failed["error"]["kind"], "invalid_request");
    let again = room.run(&["in.txt", "--wait", "--out", "out.jsonl"]).await;
    assert_eq!(again.code, Some(1), "what has failed before counts too: {again:?}");
}

#[tokio::test]
async fn a_cancelled_task_is_counted_as_such_and_ends_with_1() {
    let room = Room::with("in.txt", prompts(3)).await;
    assert_eq!(room.run(&["in.txt"]).await.code, Some(0));
    room.supervisor.book().complete(0);
    room.supervisor.book().cancel(1);
    room.supervisor.book().complete(2);
    for run in ["the first", "from the results alone"] {
        let ran = room.run(&["in.txt", "--wait", "--out", "out.jsonl"]).await;
        assert_eq!(ran.code, Some(1), "{run}: {ran:?}");
        let said = "3 tasks ended: 2 completed, 0 failed, 1 cancelled;";
        assert!(ran.stderr.contains(said), "{run}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn a_result_that_does_not_fit_into_a_message_is_fetched_whole() {
    let room = Room::with("in.txt", format!("{}\nshort\n", "x".repeat(300_000))).await;
    room.supervisor.book().inline = 1_000;
    room.supervisor.book().instant = true;
    let ran = room.run(&["in.txt", "--wait", "--out", "out.jsonl"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let results = room.results();
    let large = results.iter().find(|line| line["id"] == "1").unwrap();
    assert_eq!(large["text"].as_str().unwrap().len(), 300_000);
}

#[tokio::test]
async fn twenty_thousand_lines_take_seconds_and_batches_of_a_thousand() {
    let room = Room::with("in.txt", prompts(20_000)).await;
    room.supervisor.book().instant = true;
    let started = tokio::time::Instant::now();
    let ran = room.run(&["in.txt", "--wait", "--out", "out.jsonl"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(started.elapsed().as_secs() < 40, "{:?}", started.elapsed());
    assert_eq!(room.supervisor.book().batches, [1_000; 20]);
    assert_eq!(room.read("out.jsonl").matches('\n').count(), 20_000);
}
