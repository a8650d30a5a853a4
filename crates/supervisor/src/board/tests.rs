use taskfleet_core::{
    demand::Features,
    task::{Content, Work},
};

use super::*;

const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000);

fn record(n: u8) -> TaskRecord {
    let content = Content { text: "hi".into(), ..Content::default() };
    TaskSpec::new(Work::Content(content)).record(TaskId::new(NOW, [n; 10]), NOW)
}

fn offer(slots: u32) -> Offer {
    let boot_id = BootId::from_bytes([1; 16]);
    let holder = Holder { boot_id, name: "worker".into(), address: "127.0.0.1:1".into() };
    let profile = Profile { models: Vec::new(), features: Features::ALL, max_request_bytes: 1_000 };
    Offer { holder, slots, profile, open: true }
}

/// A board whose queue has read all there is in the store: nothing.
fn board(slots: u32) -> Board {
    let board = Board::default();
    board.offer(offer(slots));
    if let Some(read) = board.wants_lanes() {
        board.found(&read, Vec::new());
    }
    board
}

#[test]
fn a_slot_of_a_worker_that_was_given_up_frees_none_of_its_new_seat() {
    let board = board(1);
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

#[test]
fn a_worker_that_has_not_registered_is_waited_for_by_nobody() {
    let board = board(0);
    board.queue(&record(1), None);
    assert_eq!(board.obstacle(&record(1)).0, Obstacle::NoWorker);
    assert!(board.too_large(NOW, Duration::ZERO).is_empty());
    assert!(board.seat_now(&record(2)).is_none());
}

#[test]
fn a_slot_is_given_back_when_it_is_dropped() {
    let board = board(1);
    let slot = board.seat_now(&record(1)).unwrap();
    assert!(board.seat_now(&record(2)).is_none());
    drop(slot);
    assert!(board.seat_now(&record(2)).is_some());
}

#[test]
fn a_task_too_large_for_its_workers_is_named_when_patience_ends() {
    let (board, patience) = (board(1), Duration::from_secs(15));
    let large = TaskRecord { size_bytes: 1_000, ..record(1) };
    board.queue(&large, None);
    assert!(board.too_large(NOW, patience).is_empty());
    let later = NOW + patience;
    board.leave(BootId::from_bytes([1; 16]));
    assert!(board.too_large(later, patience).is_empty(), "nobody would run it at any size");
    board.offer(offer(1));
    board.queue(&large, None);
    let read = board.wants_lanes().unwrap();
    board.found(&read, Vec::new());
    let rows = LaneRows { fresh: vec![large.clone()], ..LaneRows::default() };
    board.read(board.wants_tasks(later), vec![rows]);
    assert!(board.too_large(later, patience).is_empty(), "it begins anew");
    assert_eq!(board.too_large(later + patience, patience), [(large.id, 1_000)]);
}
