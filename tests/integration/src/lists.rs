//! Lists of media and of jobs: who sees what, page by page, and at what cost.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::platform::{File, Platform, User, expect, expect_problem, pointers};
use crate::seed::{Copied, Seed, id_made_before};

crate::tests![
    everybody_sees_what_is_theirs_to_see,
    a_media_in_a_list_is_the_media,
    a_ready_media_is_listed_at_once,
    every_wrong_parameter_is_named,
    only_its_own_cursor_is_taken,
    pages_show_everything_once_whatever_is_added,
    a_page_costs_the_same_whatever_is_stored,
    jobs_are_told_from_the_newest,
    jobs_are_for_the_owner_and_admins,
];

const STATUSES: [&str; 8] =
    ["awaiting_upload", "completing", "processing", "ready", "rejected", "failed", "expired", "deleting"];

/// All pages of a list, and how many there were.
pub(crate) async fn pages(platform: &Platform, user: &User, path: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        assert!(pages.len() < 1_000, "{path} does not end");
        let page = expect(platform.get(user, &format!("{path}{cursor}")).await, StatusCode::OK).await;
        pages.push(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
    }
}

pub(crate) fn ids<'a>(items: impl IntoIterator<Item = &'a Value>) -> Vec<Uuid> {
    items.into_iter().map(|item| item["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug, Default)]
struct Asked<'a> {
    owner: Option<&'a str>,
    status: Option<&'a str>,
    kind: Option<&'a str>,
    tag: Option<&'a str>,
}

impl Asked<'_> {
    fn path(&self) -> String {
        let Self { owner, status, kind, tag } = *self;
        let parameters = [("owner", owner), ("status", status), ("kind", kind), ("tag", tag)];
        let parameters = parameters.iter().filter_map(|(name, value)| Some(format!("&{name}={}", (*value)?)));
        format!("/media?limit=7{}", parameters.collect::<String>())
    }

    /// Whether this is in the list of a caller, as the contract says it; nothing if the list is not theirs to see.
    fn admits(&self, caller: &str, is_admin: bool, media: &Copied) -> Option<bool> {
        let owner = self.owner.map(|owner| if owner == "me" { caller } else { owner });
        let is_own = owner == Some(caller);
        if self.status.is_some_and(|status| status != "ready") && !is_own && !is_admin {
            return None;
        }
        let is_theirs = is_admin || media.owner_id == caller;
        let is_in_state = match self.status {
            Some(status) => media.status == status,
            None => media.status == "ready" || is_own,
        };
        Some(
            is_in_state
                && (is_theirs || media.status == "ready" && !media.is_private)
                && media.status != "deleting"
                && owner.is_none_or(|owner| media.owner_id == owner)
                && self.kind.is_none_or(|kind| media.kind == kind)
                && self.tag.is_none_or(|tag| media.tag == tag),
        )
    }
}

async fn everybody_sees_what_is_theirs_to_see(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let seed = Seed::sow(&platform).await;
    let (owner, other, admin) = (platform.sign_up().await, platform.sign_up().await, platform.admin().await);
    let mut media = Vec::new();
    let mut age_seconds = 0;
    for user in [&owner, &other] {
        for status in STATUSES {
            for (number, is_private) in [(0, false), (1, true), (2, false)] {
                age_seconds += 1;
                let copied = Copied::of(id_made_before(Duration::from_secs(age_seconds)), &user.id);
                media.push(Copied {
                    status,
                    is_private,
                    kind: if number == 2 { "audio" } else { "video" },
                    tag: if number == 2 { "sea".to_owned() } else { "land".to_owned() },
                    ..copied
                });
            }
        }
    }
    seed.plant(&platform, &media);

    let owners = [None, Some("me"), Some(owner.id.as_str()), Some("019a9f3e-7c00-7abc-8def-0123456789ab")];
    let statuses = STATUSES.iter().filter(|status| **status != "deleting").copied().map(Some).chain([None]);
    let narrow = [(None, None), (Some("audio"), None), (None, Some("land")), (Some("video"), Some("sea"))];
    for (user, is_admin) in [(&owner, false), (&other, false), (&admin, true)] {
        for (owner, status) in
            owners.iter().flat_map(|owner| statuses.clone().map(move |status| (*owner, status)))
        {
            for (kind, tag) in narrow {
                let asked = Asked { owner, status, kind, tag };
                let admitted: Option<Vec<bool>> =
                    media.iter().map(|media| asked.admits(&user.id, is_admin, media)).collect();
                let path = asked.path();
                let Some(admitted) = admitted else {
                    let answer = platform.get(user, &path).await;
                    expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
                    continue;
                };
                // The newest is first, here as there. What was copied is listed too.
                let expected: Vec<Uuid> =
                    media.iter().zip(admitted).filter(|(_, is)| *is).map(|(media, _)| media.id).collect();
                let mut shown = ids(pages(&platform, user, &path).await.iter().flatten());
                shown.retain(|id| media.iter().any(|media| media.id == *id));
                assert_eq!(shown, expected, "{asked:?} of {} (admin: {is_admin})", user.id);
            }
        }
    }
    platform.shut_down().await;
}

async fn a_media_in_a_list_is_the_media(platform: &Platform) {
    let user = platform.sign_up().await;
    let media = platform.upload(&user, &File::video()).await;
    for path in ["/media?owner=me", "/content?owner=me&page=2"] {
        let list = expect(platform.get(&user, path).await, StatusCode::OK).await;
        let mut expected = media.clone();
        assert!(!expected["metadata"].is_null());
        expected["metadata"] = Value::Null;
        assert_eq!(list, json!({"items": [expected], "next_cursor": null}));
    }
    let list = expect(platform.get(&platform.sign_up().await, "/media?owner=me").await, StatusCode::OK).await;
    assert_eq!(list, json!({"items": [], "next_cursor": null}));
    let answer = platform.request(reqwest::Method::GET, "/media").send().await.unwrap();
    expect_problem(answer, StatusCode::UNAUTHORIZED, "token_missing").await;
}

async fn a_ready_media_is_listed_at_once(platform: &Platform) {
    let (user, other) = (platform.sign_up().await, platform.sign_up().await);
    let file = File::video();
    let tag = format!("tag {}", user.id);
    let mut announcement = file.announcement();
    announcement["tags"] = json!([tag]);
    let created = expect(platform.post_as(&user, "/media", &announcement).await, StatusCode::CREATED).await;
    let lists = [
        format!("/media?tag={}", tag.replace(' ', "%20")),
        format!("/media?owner={}&kind=video", user.id),
        "/media?status=ready&limit=100".to_owned(),
    ];
    let id: Uuid = created["media"]["id"].as_str().unwrap().parse().unwrap();
    for path in &lists {
        let list = expect(platform.get(&other, path).await, StatusCode::OK).await;
        assert!(!ids(list["items"].as_array().unwrap()).contains(&id), "{path}: not before it is ready");
    }
    let own = expect(platform.get(&user, "/media?owner=me").await, StatusCode::OK).await;
    assert_eq!(ids(own["items"].as_array().unwrap()), [id], "its owner sees it from the start");
    platform.put(&created["upload"], file.bytes).await;
    assert_eq!(platform.settled(&user, &id.to_string()).await["status"], "ready");
    for path in &lists {
        let list = expect(platform.get(&other, path).await, StatusCode::OK).await;
        assert!(ids(list["items"].as_array().unwrap()).contains(&id), "{path}");
    }
}

async fn every_wrong_parameter_is_named(platform: &Platform) {
    let user = platform.sign_up().await;
    let wrong = "owner=you&status=deleting&kind=image&tag=&limit=101&cursor=x";
    let names = ["?owner", "?status", "?kind", "?tag", "?limit", "?cursor"];
    let answer = platform.get(&user, &format!("/media?{wrong}&colour=red&sort=asc&colour=blue")).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), [&names[..], &["?colour", "?sort"]].concat());
    // The alias passes over what it does not know, and nothing else.
    let answer = platform.get(&user, &format!("/content?{wrong}&colour=red")).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), names);
    for limit in ["0", "-1", "1.5", "", "x"] {
        let answer = platform.get(&user, &format!("/media?limit={limit}")).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["?limit"], "{limit}");
    }
}

async fn only_its_own_cursor_is_taken(platform: &Platform) {
    let seed = Seed::sow(platform).await;
    let user = platform.sign_up().await;
    let copies: Vec<Copied> =
        (0..3).map(|age| Copied::of(id_made_before(Duration::from_secs(age)), &user.id)).collect();
    seed.plant(platform, &copies);
    let page = expect(platform.get(&user, "/media?owner=me&limit=1").await, StatusCode::OK).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let second = format!("/media?owner=me&limit=1&cursor={cursor}");
    let list = expect(platform.get(&user, &second).await, StatusCode::OK).await;
    assert_eq!(ids(list["items"].as_array().unwrap()), [copies[1].id]);

    let foreign = [
        copies[1].id.to_string(),
        format!("{cursor}A"),
        format!("{cursor}%3D"),
        cursor[1..].to_owned(),
        cursor[..cursor.len() - 1].to_owned(),
        cursor.to_lowercase(),
        String::new(),
    ];
    for cursor in foreign {
        let answer = platform.get(&user, &format!("/media?owner=me&cursor={cursor}")).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["?cursor"], "{cursor}");
    }
    for path in [format!("/media/{}/jobs?x", copies[0].id), "/search?title=copy".to_owned()] {
        let answer = platform.get(&user, &format!("{path}&cursor={cursor}")).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert!(pointers(&problem).contains(&"?cursor"), "{path}");
    }
    // It shows nothing that its bearer may not see.
    let other = platform.sign_up().await;
    let list = expect(platform.get(&other, &second).await, StatusCode::OK).await;
    assert_eq!(list, json!({"items": [], "next_cursor": null}));
}

/// One property of many cases: media of two users, and what is added after each page.
#[derive(Clone, Debug)]
struct Paging {
    at_first: Vec<(u64, bool, bool, bool)>,
    added: Vec<(u64, bool, bool, bool)>,
    limit: usize,
}

fn paging() -> impl Strategy<Value = Paging> {
    let media = || (0..1_000_000_u64, any::<bool>(), any::<bool>(), any::<bool>());
    (proptest::collection::vec(media(), 0..40), proptest::collection::vec(media(), 0..40), 1..12_usize)
        .prop_map(|(at_first, added, limit)| Paging { at_first, added, limit })
}

async fn pages_show_everything_once_whatever_is_added(_shared: &Platform) {
    const CASES: usize = 12;
    let platform = Platform::start(|_| {}).await;
    let seed = Seed::sow(&platform).await;
    let admin = platform.admin().await;
    let mut runner = TestRunner::deterministic();
    for number in 0..CASES {
        let case = paging().new_tree(&mut runner).unwrap().current();
        let (user, other) = (platform.sign_up().await, platform.sign_up().await);
        let tag = format!("tag{number}");
        let copied = |&(age_ms, is_own, is_private, is_ready): &(u64, bool, bool, bool)| {
            let owner = if is_own { &user } else { &other };
            let id = id_made_before(Duration::from_millis(age_ms));
            let status = if is_ready { "ready" } else { "expired" };
            Copied { is_private, status, tag: tag.clone(), ..Copied::of(id, &owner.id) }
        };
        let at_first: Vec<Copied> = case.at_first.iter().map(copied).collect();
        seed.plant(&platform, &at_first);
        let other_id = other.id.clone();
        let lists = [
            (&user, false, Asked { tag: Some(&tag), ..Asked::default() }),
            (&user, false, Asked { owner: Some("me"), ..Asked::default() }),
            (&user, false, Asked { owner: Some(&other_id), ..Asked::default() }),
            (&user, false, Asked::default()),
            (&admin, true, Asked::default()),
            (&admin, true, Asked { status: Some("expired"), ..Asked::default() }),
        ];
        let (caller, is_admin, asked) = lists[number % lists.len()];
        let path = asked.path().replace("limit=7", &format!("limit={}", case.limit));
        let mut added = case.added.iter().map(copied);
        let (mut shown, mut cursor) = (Vec::new(), String::new());
        for page_number in 0.. {
            assert!(page_number < 1_000, "{case:?} does not end");
            let page = expect(platform.get(caller, &format!("{path}{cursor}")).await, StatusCode::OK).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= case.limit);
            shown.extend(ids(items));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            seed.plant(&platform, &added.by_ref().take(3).collect::<Vec<_>>());
        }
        assert!(
            shown.is_sorted_by(|one, other| one > other),
            "once and from the newest: {case:?}, {asked:?}"
        );
        let shown: BTreeSet<Uuid> = shown.into_iter().collect();
        for media in at_first {
            let is_admitted = asked.admits(&caller.id, is_admin, &media).unwrap();
            assert_eq!(shown.contains(&media.id), is_admitted, "{media:?} for {asked:?} in {case:?}");
        }
    }
    platform.shut_down().await;
}

/// How many calls of DynamoDB a request made, and how many items those read.
pub(crate) async fn cost(platform: &Platform, user: &User, path: &str) -> (usize, u64) {
    let sequence = platform.calls().sequence();
    expect(platform.get(user, path).await, StatusCode::OK).await;
    let calls = platform.calls().since(sequence);
    let calls: Vec<_> = calls.iter().filter(|call| call.service == "dynamodb").collect();
    (calls.len(), calls.iter().map(|call| call.items_read).sum())
}

async fn a_page_costs_the_same_whatever_is_stored(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let seed = Seed::sow(&platform).await;
    let (user, other, admin) = (platform.sign_up().await, platform.sign_up().await, platform.admin().await);
    let other_path = format!("/media?owner={}", other.id);
    for stored in [100, 1_000] {
        let copies: Vec<Copied> = (0..stored)
            .map(|age| {
                let owner = if age % 2 == 0 { &user } else { &other };
                let id = id_made_before(Duration::from_secs(age));
                Copied { is_private: age % 3 == 0, ..Copied::of(id, &owner.id) }
            })
            .collect();
        seed.plant(&platform, &copies);
        // (path, caller, calls, items read at most for each item of the page)
        for (path, caller, calls, per_item) in [
            // Four shards of what is listed to members, and one's own.
            ("/media", &user, 5, 5),
            ("/media", &admin, 8, 8),
            ("/media?owner=me", &user, 1, 1),
            (&other_path, &user, 1, 1),
            // A tag's entries, and the records of these.
            ("/media?tag=copies", &user, 2, 2),
        ] {
            for limit in [1, 20, 100] {
                let separator = if path.contains('?') { '&' } else { '?' };
                let (made, read) = cost(&platform, caller, &format!("{path}{separator}limit={limit}")).await;
                assert_eq!(made, calls, "{path} of {limit} among {stored}");
                // One more of each place tells whether there are more.
                assert!(read <= per_item * (limit + 1), "{path} of {limit} among {stored}: {read} items");
            }
        }
    }
    platform.shut_down().await;
}

async fn jobs_are_told_from_the_newest(_shared: &Platform) {
    // S3 fails at first, so that there are several attempts.
    let platform = Platform::start(|_| {}).await;
    let failures = std::sync::atomic::AtomicUsize::new(2);
    let interception = platform.calls().intercept(move |attempt| {
        use std::sync::atomic::Ordering::Relaxed;
        let fails = attempt.operation == "CopyObject"
            && failures.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        fails.then(|| local::aws::Answer::Error {
            status: 400,
            code: "InvalidRequest".to_owned(),
            message: "broken".to_owned(),
        })
    });
    let user = platform.sign_up().await;
    let media = platform.upload(&user, &File::video()).await;
    assert_eq!(media["status"], "ready");
    drop(interception);
    let path = format!("/media/{}/jobs", media["id"].as_str().unwrap());
    let list = expect(platform.get(&user, &path).await, StatusCode::OK).await;
    assert_eq!(list["next_cursor"], Value::Null);
    let jobs = list["items"].as_array().unwrap();
    let told: Vec<_> = jobs.iter().map(|job| (job["type"].clone(), job["attempt"].clone())).collect();
    let attempt = |job_type: &str, number: u32| (json!(job_type), json!(number));
    let expected: Vec<_> = (1..=3)
        .rev()
        .flat_map(|number| [attempt("upload_to_cdn", number), attempt("extract_metadata", number)])
        .collect();
    assert_eq!(told, expected);
    assert_eq!((&jobs[0]["status"], &jobs[0]["error"]), (&json!("succeeded"), &Value::Null));
    assert!(jobs[0]["started_at"].is_string() && jobs[0]["finished_at"].is_string());
    let mut names: Vec<&String> = jobs[0].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["attempt", "error", "finished_at", "id", "started_at", "status", "type"]);

    for limit in [1, 2, 4, 5] {
        let pages = pages(&platform, &user, &format!("{path}?limit={limit}")).await;
        assert_eq!(pages.len(), jobs.len().div_ceil(limit), "every page is full");
        assert_eq!(&pages.concat(), jobs);
    }
    platform.shut_down().await;
}

async fn jobs_are_for_the_owner_and_admins(platform: &Platform) {
    let (user, other, admin) = (platform.sign_up().await, platform.sign_up().await, platform.admin().await);
    let media = platform.upload(&user, &File::video()).await;
    let mut hidden = File::video().announcement();
    hidden["visibility"] = json!("private");
    let hidden = expect(platform.post_as(&user, "/media", &hidden).await, StatusCode::CREATED).await;
    let path = |media: &Value| format!("/media/{}/jobs", media["id"].as_str().unwrap());
    let (shown, hidden) = (path(&media), path(&hidden["media"]));
    for caller in [&user, &admin] {
        let list = expect(platform.get(caller, &shown).await, StatusCode::OK).await;
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
        let list = expect(platform.get(caller, &hidden).await, StatusCode::OK).await;
        assert_eq!(list, json!({"items": [], "next_cursor": null}));
    }
    expect_problem(platform.get(&other, &shown).await, StatusCode::FORBIDDEN, "role_insufficient").await;
    for path in [&hidden, "/media/019a9f3e-7c00-7abc-8def-0123456789ab/jobs", "/media/x/jobs"] {
        expect_problem(platform.get(&other, path).await, StatusCode::NOT_FOUND, "not_found").await;
    }
    // The cursor of another media's jobs.
    let page = expect(platform.get(&user, &format!("{shown}?limit=1")).await, StatusCode::OK).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let answer = platform.get(&user, &format!("{hidden}?cursor={cursor}&colour=red")).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["?cursor", "?colour"]);
}
