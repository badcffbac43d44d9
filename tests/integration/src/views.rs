//! Views: what counts, what is kept, and what owners are told.

mod playing;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::{MediaId, UserId, View};
use local::aws::{Answer, Attempt, Disturbance, Principal};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use table::{Recorded, Table};

use crate::audience::Audience;
use crate::platform::{File, Item, Platform, User, expect, expect_problem, pointers};
use crate::sweep::{DAYS, HOURS, nothing_but, sweep_at};

pub(crate) use self::playing::tests as tests_of_playing;

crate::tests![
    a_view_counts_once_a_day,
    a_view_without_a_name_counts_each_time,
    a_view_that_is_told_of_many_times_at_once_counts_once,
    owners_are_not_counted,
    a_day_ends_at_midnight_in_utc,
    the_days_are_bounded,
    analytics_read_counters_alone,
    what_is_not_seen_is_not_viewed,
    what_is_told_of_a_view_is_checked,
    the_log_tells_who_and_from_where,
    a_view_counts_once_whatever_breaks_off,
    an_audience_is_counted_exactly,
    views_go_with_their_media,
    what_is_deleted_is_viewed_no_more,
];

/// Over how many partitions the views of a media are spread.
const SHARDS: usize = 8;

/// Tells of a view; of no name where the body is null.
async fn tell(platform: &Platform, viewer: &User, media_id: &str, body: &Value) -> Response {
    let request =
        platform.request(Method::POST, &format!("/media/{media_id}/view")).bearer_auth(&viewer.token);
    let request = if body.is_null() { request } else { request.json(body) };
    request.send().await.unwrap()
}

/// Views a media under a name.
pub(crate) async fn view(platform: &Platform, viewer: &User, media_id: &str, view_id: &str) {
    let answer = tell(platform, viewer, media_id, &json!({"view_id": view_id})).await;
    let body = expect(answer, StatusCode::ACCEPTED).await;
    assert_eq!(body, json!({"media_id": media_id, "view_id": view_id}));
}

async fn analytics(platform: &Platform, user: &User, media_id: &str, query: &str) -> Value {
    let path = format!("/media/{media_id}/analytics{query}");
    expect(platform.get(user, &path).await, StatusCode::OK).await
}

/// Views and unique viewers of all time, and of today.
pub(crate) async fn numbers(platform: &Platform, owner: &User, media_id: &str) -> [u64; 4] {
    let analytics = analytics(platform, owner, media_id, "?days=1").await;
    let today = &analytics["daily"][0];
    let of = |body: &Value, name: &str| body[name].as_u64().unwrap();
    let [total, unique] = [of(&analytics, "total_views"), of(&analytics, "unique_viewers")];
    [total, unique, of(today, "views"), of(today, "unique_viewers")]
}

/// All that is stored of a media's views.
pub(crate) async fn stored(platform: &Platform, media_id: &str) -> Vec<Item> {
    let shards = (0..SHARDS).map(|shard| platform.items_of(format!("VIEWS#{media_id}#{shard}")));
    futures::future::join_all(shards).await.into_iter().flatten().collect()
}

fn sort_key(item: &Item) -> &str {
    item["SK"].as_s().unwrap()
}

/// The log of a media's views.
async fn log(platform: &Platform, media_id: &str) -> Vec<Item> {
    let mut items = stored(platform, media_id).await;
    items.retain(|item| sort_key(item).starts_with("VIEW#"));
    items
}

async fn ready(platform: &Platform) -> (User, String) {
    let owner = platform.sign_up().await;
    let media = platform.upload(&owner, &File::video()).await;
    assert_eq!(media["status"], "ready");
    (owner, media["id"].as_str().unwrap().to_owned())
}

async fn a_view_counts_once_a_day(platform: &Platform) {
    let (owner, media_id) = ready(platform).await;
    let (ada, grace) = (platform.sign_up().await, platform.sign_up().await);
    assert_eq!(numbers(platform, &owner, &media_id).await, [0, 0, 0, 0]);
    for (viewer, view_id, expected) in [
        (&ada, "first", [1, 1, 1, 1]),
        (&ada, "first", [1, 1, 1, 1]),
        (&ada, "second", [2, 1, 2, 1]),
        // Of another viewer the same name is another view.
        (&grace, "first", [3, 2, 3, 2]),
        (&ada, "second", [3, 2, 3, 2]),
        (&grace, "#", [4, 2, 4, 2]),
    ] {
        view(platform, viewer, &media_id, view_id).await;
        assert_eq!(numbers(platform, &owner, &media_id).await, expected, "{view_id} of {}", viewer.email);
    }
    let all = analytics(platform, &owner, &media_id, "").await;
    assert_eq!((&all["media_id"], &all["days"]), (&json!(media_id), &json!(30)));
    let daily = all["daily"].as_array().unwrap();
    assert_eq!(daily.len(), 30);
    assert!(daily.windows(2).all(|days| days[0]["date"].as_str() < days[1]["date"].as_str()));
    assert!(daily[..29].iter().all(|day| day["views"] == 0 && day["unique_viewers"] == 0));
}

async fn a_view_without_a_name_counts_each_time(platform: &Platform) {
    let (owner, media_id) = ready(platform).await;
    let viewer = platform.sign_up().await;
    let mut names = std::collections::BTreeSet::new();
    for body in [Value::Null, json!({}), json!({"view_id": null}), json!({"position_seconds": 1})] {
        let body = expect(tell(platform, &viewer, &media_id, &body).await, StatusCode::ACCEPTED).await;
        names.insert(body["view_id"].as_str().unwrap().to_owned());
    }
    assert_eq!((names.len(), numbers(platform, &owner, &media_id).await), (4, [4, 1, 4, 1]));
    // The name that was made up is the view's.
    view(platform, &viewer, &media_id, names.first().unwrap()).await;
    assert_eq!(numbers(platform, &owner, &media_id).await, [4, 1, 4, 1]);
}

/// All of them look what is there before any of them writes.
async fn a_view_that_is_told_of_many_times_at_once_counts_once(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (owner, media_id) = ready(&platform).await;
    let (ada, grace) = (platform.sign_up().await, platform.sign_up().await);
    let interception = platform.calls().intercept(|attempt| {
        (attempt.operation == "TransactWriteItems").then_some(Answer::Delay(Duration::from_secs(1)))
    });
    futures::future::join_all((0..10).map(|_| view(&platform, &ada, &media_id, "one"))).await;
    assert_eq!(numbers(&platform, &owner, &media_id).await, [1, 1, 1, 1]);
    let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    futures::future::join_all(names.iter().map(|name| view(&platform, &grace, &media_id, name))).await;
    assert_eq!(numbers(&platform, &owner, &media_id).await, [11, 2, 11, 2], "one viewer more");

    // The same about midnight, by somebody else.
    let table = Table::new(&platform.sdk_configuration(), &platform.stack.stack().tables[0].name);
    let today = one_view(&media_id, &uuid::Uuid::now_v7().to_string());
    let yesterday = View { viewed_at: today.viewed_at.minus(Duration::from_hours(24)), ..today.clone() };
    let record = |view| table.record_view(view, Duration::from_hours(24));
    assert_eq!(tokio::try_join!(record(&yesterday), record(&today)).unwrap(), (Recorded::Now, Recorded::Now));
    assert_eq!(numbers(&platform, &owner, &media_id).await, [13, 3, 12, 3], "one viewer on two days");
    drop(interception);
    platform.shut_down().await;
}

/// A view of now.
fn one_view(media_id: &str, viewer_id: &str) -> View {
    View {
        media_id: media_id.parse::<MediaId>().unwrap(),
        viewer_id: viewer_id.parse::<UserId>().unwrap(),
        id: "one".parse().unwrap(),
        viewed_at: std::time::SystemTime::now().into(),
        position_seconds: None,
        is_counted: true,
        source_ip: String::new(),
        user_agent: String::new(),
    }
}

async fn owners_are_not_counted(platform: &Platform) {
    let (owner, media_id) = ready(platform).await;
    view(platform, &owner, &media_id, "own").await;
    view(platform, &owner, &media_id, "own").await;
    assert_eq!(numbers(platform, &owner, &media_id).await, [0, 0, 0, 0]);
    let logged = log(platform, &media_id).await;
    assert_eq!(logged.len(), 1);
    assert_eq!(logged[0]["is_counted"].as_bool(), Ok(&false));
    let admin = platform.admin().await;
    view(platform, &admin, &media_id, "admin").await;
    assert_eq!(numbers(platform, &admin, &media_id).await, [1, 1, 1, 1], "an admin is a viewer like others");
}

async fn a_day_ends_at_midnight_in_utc(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.parameters.insert("ViewLogRetentionDays".to_owned(), "7".to_owned());
    })
    .await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let midnight = 86_400 - i64::try_from(now % 86_400).unwrap();
    let (owner, media_id) = ready(&platform).await;
    // Time goes on while this runs, but not for five minutes.
    platform.set_clock_offset(midnight - 300);
    let owner = User { token: platform.log_in(&owner.email).await, ..owner };
    let (ada, grace) = (platform.sign_up().await, platform.sign_up().await);
    view(&platform, &ada, &media_id, "late").await;
    view(&platform, &ada, &media_id, "late").await;
    let before = analytics(&platform, &owner, &media_id, "?days=1").await;

    platform.set_clock_offset(midnight);
    for (viewer, view_id) in [(&ada, "late"), (&ada, "late"), (&ada, "later"), (&grace, "late")] {
        view(&platform, viewer, &media_id, view_id).await;
    }
    let after = analytics(&platform, &owner, &media_id, "?days=3").await;
    assert_eq!((&after["total_views"], &after["unique_viewers"]), (&json!(4), &json!(2)));
    let [empty, yesterday, today] = after["daily"].as_array().unwrap().as_slice() else { panic!("{after}") };
    assert_eq!((&empty["views"], &empty["unique_viewers"]), (&json!(0), &json!(0)));
    assert_eq!(yesterday, &before["daily"][0]);
    assert_eq!((&yesterday["views"], &yesterday["unique_viewers"]), (&json!(1), &json!(1)));
    assert_eq!((&today["views"], &today["unique_viewers"]), (&json!(3), &json!(2)));

    // What tells who was there outlives the day, and what tells more only as long as is said.
    for item in stored(&platform, &media_id).await {
        let expires_at = item.get("expires_at").map(|time| time.as_n().unwrap().parse::<i64>().unwrap());
        let from_now = expires_at.map(|time| time - i64::try_from(now).unwrap());
        match sort_key(&item).split('#').collect::<Vec<_>>()[..] {
            ["VIEW", ..] => assert!((7 * DAYS..8 * DAYS + HOURS).contains(&from_now.unwrap()), "{item:?}"),
            ["VIEWER", _, _] => assert!((DAYS..3 * DAYS).contains(&from_now.unwrap()), "{item:?}"),
            _ => assert_eq!(from_now, None, "{item:?}"),
        }
    }
    platform.shut_down().await;
}

async fn the_days_are_bounded(platform: &Platform) {
    let (owner, media_id) = ready(platform).await;
    for days in [1, 2, 365] {
        let analytics = analytics(platform, &owner, &media_id, &format!("?days={days}")).await;
        assert_eq!((&analytics["days"], analytics["daily"].as_array().unwrap().len()), (&json!(days), days));
    }
    for (query, pointer) in [
        ("days=0", "?days"),
        ("days=366", "?days"),
        ("days=-1", "?days"),
        ("days=1.5", "?days"),
        ("days=", "?days"),
        ("day=1", "?day"),
    ] {
        let answer = platform.get(&owner, &format!("/media/{media_id}/analytics?{query}")).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), [pointer], "{query}");
    }
}

/// Ten thousand views in the log, and numbers of every day in every shard: a year is nine calls.
async fn analytics_read_counters_alone(platform: &Platform) {
    let (owner, media_id) = ready(platform).await;
    let today = domain::Day::of(std::time::SystemTime::now().into());
    let mut items = Vec::new();
    for shard in 0..SHARDS {
        let partition = json!({"S": format!("VIEWS#{media_id}#{shard}")});
        let counted = |sort: String, views: u64| {
            let (views, unique) = (json!({"N": views.to_string()}), json!({"N": "1"}));
            json!({"PK": partition, "SK": {"S": sort}, "views": views, "unique_viewers": unique})
        };
        items.extend(today.minus(499).through(today).map(|day| counted(format!("DAY#{day}"), 2_500)));
        items.push(counted("TOTAL".to_owned(), 1_250_000));
        items.extend((0..1_250).map(|number| {
            let sort = format!("VIEW#{today}#{number:032x}#{number}");
            json!({"PK": partition, "SK": {"S": sort}, "expires_at": {"N": "9999999999"}})
        }));
    }
    platform.aws().import_items(&platform.stack.stack().tables[0].name, items).unwrap();

    for (query, days) in [("?days=365", 365), ("", 30), ("?days=1", 1)] {
        let sequence = platform.calls().sequence();
        let analytics = analytics(platform, &owner, &media_id, query).await;
        let is_meant = |id: &str| id == "GetAnalyticsFunction";
        let calls = platform.calls().since(sequence).into_iter();
        let calls: Vec<_> =
            calls.filter(|call| matches!(&call.principal, Principal::Function(id) if is_meant(id))).collect();
        assert_eq!(calls.len(), 1 + SHARDS, "the media, and each shard");
        let items_read: u64 = calls.iter().map(|call| call.items_read).sum();
        assert_eq!(items_read, 8 * (days + 1), "{query}");
        assert_eq!(
            (&analytics["total_views"], &analytics["unique_viewers"]),
            (&json!(10_000_000), &json!(8))
        );
        let daily = analytics["daily"].as_array().unwrap();
        assert_eq!(daily.len() as u64, days);
        assert!(daily.iter().all(|day| day["views"] == 20_000 && day["unique_viewers"] == 8));
    }
}

async fn what_is_not_seen_is_not_viewed(platform: &Platform) {
    let (owner, media_id) = ready(platform).await;
    let viewer = platform.sign_up().await;
    let path = format!("/media/{media_id}");
    let refused = async |user: &User, media_id: &str, status: StatusCode, code: &str| {
        let before = stored(platform, media_id).await.len();
        expect_problem(tell(platform, user, media_id, &Value::Null).await, status, code).await;
        assert_eq!(stored(platform, media_id).await.len(), before);
    };
    let awaited = platform.announce(&owner, &File::video()).await;
    let awaited = awaited["media"]["id"].as_str().unwrap();
    refused(&owner, awaited, StatusCode::CONFLICT, "not_ready").await;
    refused(&viewer, awaited, StatusCode::NOT_FOUND, "not_found").await;
    refused(&viewer, &uuid::Uuid::now_v7().to_string(), StatusCode::NOT_FOUND, "not_found").await;
    refused(&viewer, "x", StatusCode::NOT_FOUND, "not_found").await;

    view(platform, &viewer, &media_id, "1").await;
    let edit = platform.request(Method::PATCH, &path).bearer_auth(&owner.token);
    expect(edit.json(&json!({"visibility": "private"})).send().await.unwrap(), StatusCode::OK).await;
    refused(&viewer, &media_id, StatusCode::NOT_FOUND, "not_found").await;
    assert_eq!(numbers(platform, &owner, &media_id).await, [1, 1, 1, 1]);
    let deletion = platform.request(Method::DELETE, &path).bearer_auth(&owner.token).send().await.unwrap();
    assert_eq!(deletion.status(), StatusCode::NO_CONTENT);
    refused(&owner, &media_id, StatusCode::NOT_FOUND, "not_found").await;
    for user in [&owner, &viewer] {
        let answer = platform.get(user, &format!("{path}/analytics")).await;
        expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    }
}

async fn what_is_told_of_a_view_is_checked(platform: &Platform) {
    let (owner, media_id) = ready(platform).await;
    let viewer = platform.sign_up().await;
    let long = "a".repeat(129);
    for (body, pointer) in [
        (json!({"view_id": ""}), "/view_id"),
        (json!({"view_id": "a b"}), "/view_id"),
        (json!({"view_id": "é"}), "/view_id"),
        (json!({"view_id": long}), "/view_id"),
        (json!({"view_id": 1}), "/view_id"),
        (json!({"position_seconds": -0.1}), "/position_seconds"),
        (json!({"position_seconds": "1"}), "/position_seconds"),
        (json!({"position_seconds": 31_536_001}), "/position_seconds"),
        (json!({"viewer_id": owner.id}), "/viewer_id"),
        (json!([]), ""),
    ] {
        let answer = tell(platform, &viewer, &media_id, &body).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), [pointer], "{body}");
    }
    assert!(stored(platform, &media_id).await.is_empty());
    view(platform, &viewer, &media_id, &long[1..]).await;
    let most = json!({"view_id": "~!", "position_seconds": 31_536_000});
    expect(tell(platform, &viewer, &media_id, &most).await, StatusCode::ACCEPTED).await;
    // A number that is too small for DynamoDB.
    let least = json!({"view_id": "least", "position_seconds": 1e-200});
    expect(tell(platform, &viewer, &media_id, &least).await, StatusCode::ACCEPTED).await;
    assert_eq!(numbers(platform, &owner, &media_id).await, [3, 1, 3, 1]);
}

async fn the_log_tells_who_and_from_where(platform: &Platform) {
    let (_, media_id) = ready(platform).await;
    let viewer = platform.sign_up().await;
    let request =
        platform.request(Method::POST, &format!("/media/{media_id}/view")).bearer_auth(&viewer.token);
    let request = request
        .header("x-forwarded-for", "198.51.100.1")
        .header("forwarded", "for=198.51.100.1")
        .header("x-real-ip", "198.51.100.1")
        .header("user-agent", format!("player/1.0 {}", "x".repeat(1_000)))
        .json(&json!({"view_id": "one", "position_seconds": 12.5}));
    expect(request.send().await.unwrap(), StatusCode::ACCEPTED).await;
    let [logged] = <[Item; 1]>::try_from(log(platform, &media_id).await).unwrap();
    let text = |name: &str| logged[name].as_s().unwrap().as_str();
    assert_eq!((text("viewer_id"), text("source_ip")), (viewer.id.as_str(), "127.0.0.1"));
    assert!(text("user_agent").starts_with("player/1.0 xxx") && text("user_agent").len() == 256);
    assert_eq!(logged["position_seconds"].as_n().unwrap(), "12.5");
    assert_eq!(logged["is_counted"].as_bool(), Ok(&true));
    assert!(sort_key(&logged).ends_with("#one") && sort_key(&logged).contains(&text("viewed_at")[..10]));

    // Whatever is kept for longer says nothing of who it was.
    for item in stored(platform, &media_id).await {
        let is_log = sort_key(&item).starts_with("VIEW#");
        let says = |what: &str| format!("{item:?}").contains(what);
        assert!(is_log || !(says(&viewer.id) || says("127.0.0.1") || says("player")), "{item:?}");
        assert_eq!(is_log, says(&viewer.id), "{item:?}");
    }
}

fn is_record_view(attempt: &Attempt) -> bool {
    matches!(&attempt.principal, Principal::Function(id) if id == "RecordViewFunction")
}

/// Breaks one call after the other, before or after it was carried out, and once more often than is tried.
async fn a_view_counts_once_whatever_breaks_off(_shared: &Platform) {
    const SDK_ATTEMPTS: usize = 3;
    let platform = Platform::start(|_| {}).await;
    let (owner, media_id) = ready(&platform).await;
    let mut viewers = 0;
    for (answer, times) in [(Answer::Drop, 1), (Answer::DropAnswer, 1), (Answer::DropAnswer, SDK_ATTEMPTS)] {
        for number in 0..4 {
            let viewer = platform.sign_up().await;
            viewers += 1;
            let (seen, answer) = (AtomicUsize::new(0), answer.clone());
            let interception = platform.calls().intercept(move |attempt| {
                let count =
                    if is_record_view(attempt) { seen.fetch_add(1, Ordering::SeqCst) } else { usize::MAX };
                (number..number + times).contains(&count).then(|| answer.clone())
            });
            let body = json!({"view_id": "one"});
            let told = tell(&platform, &viewer, &media_id, &body).await;
            let place = format!("{times} from call {number} on: {}", told.status());
            let is_answered = told.status() == StatusCode::ACCEPTED;
            assert!(is_answered || times == SDK_ATTEMPTS, "{place}");
            drop(interception);
            if !is_answered {
                expect_problem(told, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
                view(&platform, &viewer, &media_id, "one").await;
            }
            assert_eq!(numbers(&platform, &owner, &media_id).await, [viewers; 4], "{place}");
        }
    }
    platform.shut_down().await;
}

async fn an_audience_is_counted_exactly(_shared: &Platform) {
    const VIEWERS: usize = 60;
    const TIMES: usize = 5;
    let platform = Platform::start(|_| {}).await;
    let (owner, media_id) = ready(&platform).await;
    let audience = Audience::gather(&platform, VIEWERS).await;
    let one_in = |number| NonZeroU32::new(number);
    platform.aws().disturb(Disturbance {
        throttle_one_in: one_in(8),
        conflict_one_in: one_in(8),
        ..Disturbance::default()
    });
    let tally = audience.view(&platform, &media_id, TIMES, 20).await;
    platform.aws().disturb(Disturbance::default());
    assert_eq!(tally.accepted, VIEWERS * TIMES * 6 / 5, "{tally:?}");
    assert!(
        tally.unavailable < tally.accepted / 10,
        "most failures are made up for by the function: {tally:?}"
    );
    let (views, viewers) = ((VIEWERS * TIMES) as u64, VIEWERS as u64);
    assert_eq!(numbers(&platform, &owner, &media_id).await, [views, viewers, views, viewers], "{tally:?}");
    assert_eq!(log(&platform, &media_id).await.len(), VIEWERS * TIMES);
    platform.shut_down().await;
}

async fn views_go_with_their_media(_shared: &Platform) {
    /// More than two sweeps remove of one shard.
    const LOGGED: usize = 2_100;
    let platform = Platform::start(|_| {}).await;
    let (owner, media_id) = ready(&platform).await;
    let other = platform.upload(&owner, &File::video()).await;
    let other_id = other["id"].as_str().unwrap();
    for number in 0..10 {
        let viewer = platform.sign_up().await;
        view(&platform, &viewer, &media_id, &number.to_string()).await;
        view(&platform, &viewer, other_id, &number.to_string()).await;
    }
    let logged = (0..LOGGED).map(|number| {
        let sort = format!("VIEW#2026-11-20#{number:032x}#1");
        json!({"PK": {"S": format!("VIEWS#{media_id}#3")}, "SK": {"S": sort}})
    });
    platform.aws().import_items(&platform.stack.stack().tables[0].name, logged.collect()).unwrap();
    let path = format!("/media/{media_id}");
    let deletion = platform.request(Method::DELETE, &path).bearer_auth(&owner.token).send().await.unwrap();
    assert_eq!(deletion.status(), StatusCode::NO_CONTENT);

    // Throttled batches come back in part. No more of them than that a sweep goes on: one that is down to a single entry is
    // refused, and after three refusals the media is looked at again later.
    platform.aws().disturb(Disturbance {
        throttle_one_in: NonZeroU32::new(20),
        operations: ["BatchWriteItem".to_owned()].into(),
        ..Disturbance::default()
    });
    for sweep in 0..2 {
        assert_eq!(sweep_at(&platform, sweep * HOURS).await, nothing_but("later", 1));
        assert_eq!(platform.items_of(format!("MEDIA#{media_id}")).await.len(), 1, "the record is there");
    }
    platform.aws().disturb(Disturbance::default());
    assert_eq!(sweep_at(&platform, 2 * HOURS).await, nothing_but("deleted", 1));
    assert_closed(&stored(&platform, &media_id).await);
    assert_eq!(numbers(&platform, &owner, other_id).await, [10; 4], "those of another media stay");
    platform.shut_down().await;
}

/// Nothing is left but what says so, and expires.
pub(crate) fn assert_closed(stored: &[Item]) {
    assert_eq!(stored.len(), SHARDS, "{stored:?}");
    for item in stored {
        assert_eq!(sort_key(item), "TOTAL", "{item:?}");
        assert!(
            item.contains_key("closed") && item.contains_key("expires_at") && item.len() == 4,
            "{item:?}"
        );
    }
}

/// A view whose request saw the media before it was deleted, and comes to write after everything was removed.
async fn what_is_deleted_is_viewed_no_more(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (owner, media_id) = ready(&platform).await;
    let table = Table::new(&platform.sdk_configuration(), &platform.stack.stack().tables[0].name);
    let one = one_view(&media_id, &owner.id);
    let record = async |view: &View| table.record_view(view, Duration::from_hours(24)).await.unwrap();
    assert_eq!((record(&one).await, record(&one).await), (Recorded::Now, Recorded::Before));
    let path = format!("/media/{media_id}");
    let deletion = platform.request(Method::DELETE, &path).bearer_auth(&owner.token).send().await.unwrap();
    assert_eq!(deletion.status(), StatusCode::NO_CONTENT);
    assert_eq!(sweep_at(&platform, 0).await, nothing_but("deleted", 1));
    for is_counted in [true, false] {
        for id in ["one", "two"] {
            let late = View { id: id.parse().unwrap(), is_counted, ..one.clone() };
            assert_eq!(record(&late).await, Recorded::Closed);
        }
    }
    assert_closed(&stored(&platform, &media_id).await);
    platform.shut_down().await;
}
