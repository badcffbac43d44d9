//! Sweeps that die, come twice, meet items that they cannot settle, or run out of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::types::AttributeValue::S;
use local::aws::{Answer, Attempt, Principal};
use serde_json::{Value, json};

use super::{
    DAYS, HOURS, MINUTES, announce_in_parts, begin_to_complete, id_of, left_in_s3, nothing, nothing_but,
    platform_without_events, put_part, status, sweep_at, usage, write,
};
use crate::platform::{File, Item, Platform};
use crate::processing::put_as_operator;

crate::tests![
    a_sweep_that_dies_at_any_call_is_made_up_for,
    two_sweeps_at_once_do_nothing_twice,
    what_cannot_be_done_holds_up_nothing,
    an_item_that_fails_is_put_off,
    work_that_cannot_be_read_fails_the_sweep_but_not_the_rest,
    what_there_is_no_time_for_stays_due,
];

fn is_sweep(attempt: &Attempt) -> bool {
    matches!(&attempt.principal, Principal::Function(id) if id == "SweepFunction")
}

/// Sweeps at this time, and kills the function once its call of this number was carried out; answers whether it came
/// that far.
pub(crate) async fn sweep_killed_at(platform: &Platform, offset_seconds: i64, number: usize) -> bool {
    let seen = AtomicUsize::new(0);
    let (reached, mut is_reached) = tokio::sync::watch::channel(false);
    let interception = platform.calls().intercept(move |attempt| {
        let count = if is_sweep(attempt) { seen.fetch_add(1, Ordering::SeqCst) } else { return None };
        match count.cmp(&number) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => {
                reached.send_replace(true);
                Some(Answer::DropAnswer)
            }
            std::cmp::Ordering::Greater => Some(Answer::Drop),
        }
    });
    platform.set_clock_offset(offset_seconds);
    let was_killed = tokio::select! {
        report = platform.stack.run_schedule("sweep") => {
            assert_eq!(report.unwrap()["failed"], 0);
            false
        }
        _ = is_reached.wait_for(|reached| *reached) => {
            platform.stack.kill("SweepFunction");
            true
        }
    };
    platform.set_clock_offset(0);
    drop(interception);
    was_killed
}

async fn a_sweep_that_dies_at_any_call_is_made_up_for(_shared: &Platform) {
    let platform = platform_without_events().await;
    let user = platform.sign_up().await;
    let file = File::video();
    let mut number = 0;
    loop {
        // One that is never finished, one whose event got lost, one that was being completed.
        let abandoned = announce_in_parts(&platform, &user, &file).await;
        put_part(&platform, &abandoned["upload"], 1, file.bytes.clone()).await;
        let lost = platform.announce(&user, &file).await;
        platform.put(&lost["upload"], file.bytes.clone()).await;
        let completing = announce_in_parts(&platform, &user, &file).await;
        put_part(&platform, &completing["upload"], 1, file.bytes.clone()).await;
        begin_to_complete(&platform, &id_of(&completing)).await;

        let mut was_killed = sweep_killed_at(&platform, 25 * HOURS, number).await;
        let report = sweep_at(&platform, 26 * HOURS).await;
        assert_eq!(report["failed"], 0, "died at call {number}: {report}");
        // What arrives too late is left over.
        put_as_operator(&platform, &id_of(&abandoned), &file).await;
        was_killed |= sweep_killed_at(&platform, 31 * HOURS, number).await;
        let report = sweep_at(&platform, 33 * HOURS).await;
        assert_eq!(report["failed"], 0, "died at call {number}: {report}");
        for created in [&lost, &completing] {
            let media = platform
                .wait_for(&user, &id_of(created), |media| {
                    !matches!(media["status"].as_str(), Some("awaiting_upload" | "completing" | "processing"))
                })
                .await;
            assert_eq!(media["status"], "ready", "died at call {number}");
        }
        platform.idle().await;
        assert_eq!(status(&platform, &user, &id_of(&abandoned)).await, "expired", "died at call {number}");
        for created in [&abandoned, &lost, &completing] {
            let media_id = id_of(created);
            assert_eq!(left_in_s3(&platform, &media_id).await, (false, 0), "died at call {number}");
            assert_eq!(platform.kinds_of_work(&media_id).await, Vec::<String>::new(), "at call {number}");
        }
        number += 1;
        assert_eq!(usage(&platform, &user).await, number * 2 * file.bytes.len(), "counted once");
        if !was_killed {
            break;
        }
        assert!(number < 60, "a sweep of three items makes about twenty calls");
    }
    assert!(number > 12, "{number}");
    platform.shut_down().await;
}

async fn two_sweeps_at_once_do_nothing_twice(_shared: &Platform) {
    const UPLOADS: u64 = 24;
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for _ in 0..UPLOADS {
        platform.announce(&user, &File::video()).await;
    }
    let settled = |reports: [Value; 2], outcome: &str| {
        assert!(reports.iter().all(|report| report["failed"] == 0), "{reports:?}");
        reports.iter().filter_map(|report| report["settled"][outcome].as_u64()).sum::<u64>()
    };
    for (offset, outcome) in [(25 * HOURS, "expired"), (28 * HOURS, "removed")] {
        platform.set_clock_offset(offset);
        let sweep = || async { platform.stack.run_schedule("sweep").await.unwrap() };
        let reports = tokio::join!(sweep(), sweep());
        assert_eq!(settled(reports.into(), outcome), UPLOADS, "each once");
    }
    platform.set_clock_offset(0);
    assert_eq!(usage(&platform, &user).await, 0);
    assert_eq!(sweep_at(&platform, 30 * DAYS).await, nothing());
    platform.shut_down().await;
}

/// An item of work that has been due for ages.
fn old_work(shard: usize, kind: &str, media_id: &str) -> Item {
    let due = "2000-01-01T00:00:00Z";
    [
        ("PK", format!("WORK#{shard}")),
        ("SK", format!("{due}#{kind}#{media_id}")),
        ("kind", kind.to_owned()),
        ("due", due.to_owned()),
        ("media_id", media_id.to_owned()),
        ("upload_id", media_id.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), S(value)))
    .collect()
}

async fn what_cannot_be_done_holds_up_nothing(_shared: &Platform) {
    // More than one page of each partition.
    const UNREADABLE: usize = 60;
    const UPLOADS: usize = 500;
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for number in 0..UNREADABLE * 4 {
        write(&platform, old_work(number % 4, "of_another_version", &uuid::Uuid::now_v7().to_string())).await;
    }
    // What belongs to nothing goes.
    let gone = uuid::Uuid::now_v7();
    for kind in ["upload", "user_deletion"] {
        let mut work = old_work(usize::from(gone.as_bytes()[15] % 4), kind, &gone.to_string());
        if kind == "user_deletion" {
            work.insert("user_id".to_owned(), work["media_id"].clone());
            work.retain(|name, _| !matches!(name.as_str(), "media_id" | "upload_id"));
        }
        write(&platform, work).await;
    }
    for _ in 0..UPLOADS / 10 {
        let file = File::video();
        futures::future::join_all((0..10).map(|_| platform.announce(&user, &file))).await;
    }
    let report = sweep_at(&platform, 25 * HOURS).await;
    let expected = json!({
        "settled": {"expired": UPLOADS, "forgotten": 2}, "failed": UNREADABLE * 4, "is_unfinished": false,
    });
    assert_eq!(report, expected);
    assert_eq!(usage(&platform, &user).await, 0);
    assert_eq!(platform.kinds_of_work(&gone.to_string()).await, Vec::<String>::new());
    assert!(crate::user_deletion::work_of_user(&platform, &gone.to_string()).await.is_empty());
    platform.shut_down().await;
}

async fn an_item_that_fails_is_put_off(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let bad = id_of(&platform.announce(&user, &File::video()).await);
    let good = id_of(&platform.announce(&user, &File::video()).await);
    let key = Arc::new(format!("uploads/{bad}/source"));
    let interception = platform.calls().intercept(move |attempt| {
        let is_meant =
            is_sweep(attempt) && attempt.resource().is_some_and(|resource| resource.ends_with(key.as_str()));
        is_meant.then(|| Answer::Error {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: String::new(),
        })
    });
    let report = sweep_at(&platform, 25 * HOURS).await;
    assert_eq!(report, json!({"settled": {"expired": 1}, "failed": 1, "is_unfinished": false}));
    assert_eq!(status(&platform, &user, &good).await, "expired");
    drop(interception);
    assert_eq!(sweep_at(&platform, 25 * HOURS + 10 * MINUTES).await, nothing(), "not yet");
    assert_eq!(sweep_at(&platform, 25 * HOURS + 20 * MINUTES).await, nothing_but("expired", 1));
    assert_eq!(status(&platform, &user, &bad).await, "expired");
    platform.shut_down().await;
}

async fn work_that_cannot_be_read_fails_the_sweep_but_not_the_rest(_shared: &Platform) {
    const UPLOADS: usize = 24;
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for _ in 0..UPLOADS {
        platform.announce(&user, &File::video()).await;
    }
    let queries = AtomicUsize::new(0);
    let interception = platform.calls().intercept(move |attempt| {
        let is_first =
            is_sweep(attempt) && attempt.operation == "Query" && queries.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then(|| Answer::Error {
            status: 400,
            code: "ValidationException".to_owned(),
            message: String::new(),
        })
    });
    platform.set_clock_offset(25 * HOURS);
    // Lambda tries again, and its alarm sees it.
    platform.stack.run_schedule("sweep").await.unwrap_err();
    drop(interception);
    let unread = usage(&platform, &user).await / File::video().bytes.len();
    assert!(unread < UPLOADS, "three partitions were read");
    sweep_at(&platform, 25 * HOURS).await;
    assert_eq!(usage(&platform, &user).await, 0);
    platform.shut_down().await;
}

async fn what_there_is_no_time_for_stays_due(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.template_edit = Some(Box::new(|template| {
            template["Resources"]["SweepFunction"]["Properties"]["Timeout"] = json!(60);
        }));
    })
    .await;
    let user = platform.sign_up().await;
    let media_id = id_of(&platform.announce(&user, &File::video()).await);
    let report = sweep_at(&platform, 25 * HOURS).await;
    assert_eq!(report, json!({"settled": {}, "failed": 0, "is_unfinished": true}));
    assert_eq!(platform.kinds_of_work(&media_id).await, ["upload"]);
    platform.shut_down().await;
}
