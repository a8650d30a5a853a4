//! temp
use futures::future::join_all;
use std::sync::Arc;
use taskfleet_core::{failure::*, machine::Event, outcome::*, retry::*, task::*, *};
use taskfleet_store::*;
fn main() {
    let rt = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let at = Timestamp::from_unix_millis(1_700_000_000_000);
    let store = SqliteStore::open(SqliteOptions {
        path: dir.path().join("t.db"),
        now: at,
        random: [1; 16],
    })
    .unwrap();
    let holder = Holder {
        boot_id: BootId::from_bytes([7; 16]),
        name: "worker-1".into(),
        address: "10.0.0.7:50052".into(),
    };
    for (claim, group, total) in [
        (true, 1usize, 2_000usize),
        (true, 8, 8_000),
        (true, 64, 64_000),
        (false, 64, 64_000),
        (true, 512, 64_000),
    ] {
        let cpu = cpu();
        let t = tokio::time::Instant::now();
        rt.block_on(async {
            let mut n = 0u64;
            for _ in 0..total / group {
                let tasks: Vec<NewTask> = (0..group)
                    .map(|_| {
                        n += 1;
                        let mut r = [0u8; 10];
                        r[2..].copy_from_slice(
                            &(n + total as u64 * 1_000_000 * (1 + u64::from(claim))).to_be_bytes(),
                        );
                        let mut spec = TaskSpec::new(Work::Content(Content {
                            text: "x".repeat(200),
                            ..Default::default()
                        }));
                        spec.idempotency_key = Some(format!(
                            "{:x}-{total}-{group}-{claim}",
                            n.wrapping_mul(0x9E3779B97F4A7C15)
                        ));
                        NewTask {
                            id: TaskId::new(at + std::time::Duration::from_millis(n / 10), r),
                            spec: Arc::new(spec),
                            digest: [0; 32],
                            claim: claim.then(|| holder.clone()),
                        }
                    })
                    .collect();
                let ids: Vec<_> = tasks.iter().map(|t| t.id).collect();
                // one command each
                let recs = join_all(tasks.into_iter().map(|t| store.submit(vec![t], at))).await;
                let mut leases = vec![];
                for r in recs {
                    if let Submitted::New(r) = r.unwrap().remove(0) {
                        leases.push(r.lease)
                    }
                }
                if !claim {
                    leases = join_all(ids.iter().map(|id| {
                        store.apply(
                            vec![Change {
                                task: *id,
                                event: Event::Claim {
                                    holder: holder.clone(),
                                    epoch: store.identity().epoch,
                                },
                                jitter: Jitter::new(0.),
                            }],
                            at,
                        )
                    }))
                    .await
                    .into_iter()
                    .map(|a| a.unwrap().remove(0).unwrap().record.lease)
                    .collect();
                }
                let a = join_all(ids.iter().zip(leases).map(|(id, lease)| {
                    store.apply(
                        vec![Change {
                            task: *id,
                            jitter: Jitter::new(0.),
                            event: Event::Ended {
                                lease,
                                outcome: Outcome {
                                    end: End::Completed(Payload::Text("y".repeat(200))),
                                    call: Call {
                                        provider_request_id: "req_0123456789abcdef".into(),
                                        served_model: "m".into(),
                                        usage: Some(Usage::default()),
                                        finish_reason: "stop".into(),
                                        http_status: Some(200),
                                        ..Call::new(Delivery::Answered)
                                    },
                                },
                            },
                        }],
                        at,
                    )
                }))
                .await;
                for a in a {
                    a.unwrap().remove(0).unwrap();
                }
            }
        });
        let wall = t.elapsed();
        let c = self::cpu() - cpu;
        println!(
            "claim at submit {claim} group {group}: {:.1} us cpu, {:.1} us wall a task",
            c / total as f64,
            wall.as_micros() as f64 / total as f64
        );
    }
    println!(
        "file {} bytes",
        std::fs::metadata(dir.path().join("t.db")).unwrap().len()
    );
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) * 10_000.0
}
