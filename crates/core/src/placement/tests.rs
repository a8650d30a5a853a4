use super::*;
use crate::Timestamp;

fn task() -> Candidate<'static> {
    let task = TaskId::new(Timestamp::from_unix_millis(1), [1; 10]);
    Candidate { task, model: None, needs: Features::NONE, size_bytes: 10, alone: false }
}

fn worker(models: &[&str], max_request_bytes: u64) -> Profile {
    let models = models.iter().map(ToString::to_string).collect();
    Profile { models, features: Features::NONE, max_request_bytes }
}

fn seat(slots: u32, in_use: u32) -> Seat {
    let boot_id = BootId::from_bytes([1; 16]);
    Seat { boot_id, profile: 0, slots, in_use, taken_alone: false }
}

#[test]
fn the_first_obstacle_is_named() {
    let small = worker(&["small"], 100);
    let large = worker(&[], 1_000);
    let why = |candidate: Candidate<'_>, workers: &[(&Profile, Seat)]| {
        let open = workers.iter().cloned();
        obstacle(&candidate, open.map(|(profile, seat)| Known { profile, seat, open: true }))
    };
    let busy = [(&small, seat(2, 2)), (&large, seat(3, 3))];
    assert_eq!(why(task(), &[]), Obstacle::NoWorker);
    let other = Candidate { model: Some("other"), ..task() };
    assert_eq!(why(other, &busy[..1]), Obstacle::Model);
    let request = Candidate { needs: Features::REQUESTS, ..task() };
    assert_eq!(why(request, &busy), Obstacle::Needs);
    let huge = Candidate { size_bytes: 1_001, ..task() };
    assert_eq!(why(huge, &busy), Obstacle::Size(1_000));
    assert_eq!(why(Candidate { alone: true, ..task() }, &busy), Obstacle::NotEmpty);
    assert_eq!(why(task(), &busy), Obstacle::NoFreeSlot { workers: 2, slots: 5 });
    assert_eq!(why(other, &busy), Obstacle::NoFreeSlot { workers: 1, slots: 3 });
    assert_eq!(why(task(), &[(&small, seat(2, 1))]), Obstacle::None);
}

#[test]
fn a_worker_that_takes_nothing_now_serves_its_model_all_the_same() {
    let (other, asked) = (worker(&["other"], 100), worker(&["asked"], 100));
    let number = |n| BootId::from_bytes([n; 16]);
    let known =
        |profile, n, open| Known { profile, seat: Seat { boot_id: number(n), ..seat(2, 0) }, open };
    let candidate = Candidate { model: Some("asked"), ..task() };
    let why = |workers: &[Known<'_>]| obstacle(&candidate, workers.iter().cloned());
    let aside = [known(&other, 1, true), known(&asked, 2, false), known(&asked, 3, false)];
    assert_eq!(why(&aside), Obstacle::Closed(vec![number(2), number(3)]));
    assert_eq!(why(&aside[..1]), Obstacle::Model);
    assert_eq!(why(&[known(&other, 1, false)]), Obstacle::Model);
    assert_eq!(why(&[known(&asked, 2, false), known(&asked, 3, true)]), Obstacle::None);
}
