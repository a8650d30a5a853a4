use taskfleet_core::{
    TaskId,
    task::{Content, Work},
};

use super::*;

const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000);

fn record(n: u32) -> TaskRecord {
    let mut random = [0; 10];
    random[2..6].copy_from_slice(&n.to_be_bytes());
    let content = Content { text: "hi".into(), ..Content::default() };
    TaskSpec::new(Work::Content(content)).record(TaskId::new(NOW, random), NOW)
}

fn delayed(n: u32) -> TaskRecord {
    let not_before = Some(NOW + std::time::Duration::from_secs(600));
    TaskRecord { not_before, ..record(n) }
}

fn offer(slots: u32) -> Offer {
    let boot_id = BootId::from_bytes([1; 16]);
    let holder = Holder { boot_id, name: "worker".into(), address: "127.0.0.1:1".into() };
    Offer { holder, slots, models: Vec::new(), max_request_bytes: 1_000, open: true }
}

fn overfull() -> u32 {
    u32::try_from(WINDOW).unwrap() + 100
}

#[test]
fn a_window_full_of_backoffs_keeps_no_ready_task_out() {
    let board = Board::default();
    board.offer(offer(4));
    (0..overfull()).for_each(|n| board.queue(&delayed(n), None));
    let ready = record(u32::MAX);
    board.queue(&ready, None);
    let assigned = board.assign(NOW, 10);
    assert_eq!(assigned.iter().map(|a| a.task).collect::<Vec<_>>(), [ready.id]);
    assert_eq!(board.wants(), None, "nothing is to be fetched, so nothing loops");
}

#[test]
fn what_does_not_fit_into_the_window_is_fetched_when_it_runs_low() {
    let board = Board::default();
    (0..overfull()).for_each(|n| board.queue(&record(n), None));
    assert_eq!(board.wants(), None, "there is enough to do");
    board.offer(offer(overfull()));
    let first = board.assign(NOW, WINDOW);
    assert_eq!(first.first().map(|a| a.task), Some(record(0).id), "in the order of submission");
    assert!(board.wants().is_some());
}

#[test]
fn a_slot_of_a_worker_that_was_given_up_frees_none_of_its_new_seat() {
    let board = Board::default();
    board.offer(offer(1));
    board.queue(&record(1), None);
    let old = board.assign(NOW, 1);
    let boot_id = old[0].slot.holder.boot_id;
    board.leave(boot_id);
    board.offer(offer(1));
    board.queue(&record(2), None);
    let new = board.assign(NOW, 1);
    drop(old);
    assert_eq!(board.in_use(boot_id), 1);
    drop(new);
    assert_eq!(board.in_use(boot_id), 0);
}
