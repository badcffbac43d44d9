//! Searching titles: what is found, in which order, by whom, and at what cost.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::lists::{cost, ids, pages};
use crate::platform::{File, Platform, User, expect, expect_problem, pointers};
use crate::seed::{Copied, Seed, id_made_before};

crate::tests![
    a_ready_media_is_found_at_once_in_any_script,
    the_best_match_is_first_and_then_the_newest,
    a_title_is_found_by_those_who_may_see_it,
    a_title_with_several_words_is_found_once,
    a_cursor_names_no_hidden_title,
    every_wrong_parameter_is_named,
    only_its_own_cursor_is_taken,
    pages_show_everything_once_whatever_is_added,
    a_search_costs_the_same_whatever_is_stored,
];

/// A search with these parameters, encoded.
fn path_of(parameters: &[(&str, &str)]) -> String {
    let url = Url::parse_with_params("http://localhost/search", parameters).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

async fn search(platform: &Platform, user: &User, title: &str) -> Vec<Value> {
    let path = path_of(&[("title", title), ("limit", "100")]);
    let page = expect(platform.get(user, &path).await, StatusCode::OK).await;
    assert_eq!(page["next_cursor"], Value::Null);
    page["items"].as_array().unwrap().clone()
}

/// A word that no other test has, in lower-case letters.
fn fresh_word() -> String {
    Uuid::now_v7()
        .simple()
        .to_string()
        .chars()
        .map(|digit| if digit.is_numeric() { (digit as u8 + 64) as char } else { digit })
        .collect()
}

async fn a_ready_media_is_found_at_once_in_any_script(platform: &Platform) {
    let user = platform.sign_up().await;
    // (title, what finds it, what does not)
    let cases: [(&str, &[&str], &[&str]); 4] = [
        (
            "Le Café d’été",
            &["cafe", "CAFE\u{301}", "ＣＡＦÉ ete", "d'été le", "caf"],
            &["cafes", "af", "c", "cafe tea"],
        ),
        ("Война и мир", &["война", "ВОИНА", "мир вой", "и"], &["м", "война войны"]),
        ("東京の夜", &["東京", "夜 東", "東京の夜"], &["京都"]),
        ("my_holiday_02.mp4", &["holiday", "Holi 02", "mp4"], &["0"]),
    ];
    let uploads = join_all(cases.iter().map(async |(title, ..)| {
        let mut announcement = File::video().announcement();
        announcement["title"] = json!(title);
        let created =
            expect(platform.post_as(&user, "/media", &announcement).await, StatusCode::CREATED).await;
        let id: Uuid = created["media"]["id"].as_str().unwrap().parse().unwrap();
        let found = search(platform, &user, title).await;
        assert!(!ids(&found).contains(&id), "not before it is ready");
        platform.put(&created["upload"], File::video().bytes).await;
        assert_eq!(platform.settled(&user, &id.to_string()).await["status"], "ready");
        id
    }));
    for ((title, finders, others), id) in cases.iter().zip(uploads.await) {
        for finder in *finders {
            let found = search(platform, &user, finder).await;
            let media = found.iter().find(|media| media["id"] == id.to_string());
            let media = media.unwrap_or_else(|| panic!("{finder} does not find {title}"));
            let mut expected =
                expect(platform.get(&user, &format!("/media/{id}")).await, StatusCode::OK).await;
            expected["metadata"] = Value::Null;
            assert_eq!(*media, expected);
        }
        for other in *others {
            assert!(!ids(&search(platform, &user, other).await).contains(&id), "{other} finds {title}");
        }
    }
}

/// Copies with these words, the first one the newest.
fn titled<'a>(owner: &User, words: impl IntoIterator<Item = &'a str>) -> Vec<Copied> {
    let copied = |(age, word): (u64, &str)| Copied {
        word: word.to_owned(),
        ..Copied::of(id_made_before(Duration::from_secs(age)), &owner.id)
    };
    (0..).zip(words).map(copied).collect()
}

async fn the_best_match_is_first_and_then_the_newest(platform: &Platform) {
    let seed = Seed::sow(platform).await;
    let user = platform.sign_up().await;
    let word = fresh_word();
    let words = ["z", "", "a", "b", ""].map(|end| format!("{word}{end}"));
    let media = titled(&user, words.iter().map(String::as_str));
    seed.plant(platform, &media);
    let [z, newer, a, b, older] = [0, 1, 2, 3, 4].map(|number: usize| media[number].id);
    for title in [word.clone(), format!("FILM {word}"), format!("{word} film {word}")] {
        let found = search(platform, &user, &title).await;
        assert_eq!(ids(&found), [newer, older, z, a, b], "{title}");
    }
    assert_eq!(ids(&search(platform, &user, &format!("{word}a")).await), [a]);
    assert_eq!(ids(&search(platform, &user, &format!("{word} films")).await), [] as [Uuid; 0]);
    // Page by page the words are in order too, and none is shown twice.
    let path = format!("/search?title={word}&limit=2");
    let found = pages(platform, &user, &path).await;
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(ids(found.concat().iter().take(2)), [newer, older]);
    assert_eq!(BTreeSet::from_iter(ids(&found.concat())).len(), 5);
}

async fn a_title_is_found_by_those_who_may_see_it(platform: &Platform) {
    let seed = Seed::sow(platform).await;
    let (owner, other, admin) = (platform.sign_up().await, platform.sign_up().await, platform.admin().await);
    let word = fresh_word();
    let mut media = titled(&owner, [word.as_str(); 3]);
    media[1].is_private = true;
    media[2].status = "processing";
    seed.plant(platform, &media);
    let (shown, private) = (media[0].id, media[1].id);
    for (caller, found) in
        [(&owner, vec![shown, private]), (&other, vec![shown]), (&admin, vec![shown, private])]
    {
        assert_eq!(ids(&search(platform, caller, &word).await), found);
    }
}

async fn a_title_with_several_words_is_found_once(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let seed = Seed::sow(&platform).await;
    let user = platform.sign_up().await;
    // Each is a film too, so that two of its words begin with what is searched for.
    let words: Vec<String> = (0..30).map(|number| format!("fi{number}")).collect();
    seed.plant(&platform, &titled(&user, words.iter().map(String::as_str)));
    for limit in [4, 50] {
        let found = pages(&platform, &user, &format!("/search?title=fi&limit={limit}")).await.concat();
        let once: BTreeSet<Uuid> = ids(&found).into_iter().collect();
        assert_eq!((found.len(), once.len()), (31, 31), "with the one that was copied");
    }
    platform.shut_down().await;
}

async fn a_cursor_names_no_hidden_title(platform: &Platform) {
    let seed = Seed::sow(platform).await;
    let (owner, other) = (platform.sign_up().await, platform.sign_up().await);
    let word = fresh_word();
    let shown: Vec<String> = ["z", "y", "x", "a"].map(|end| format!("{word}{end}")).into();
    let mut media = titled(&owner, shown.iter().map(String::as_str));
    // One request reads 500 words: those before the hidden ones, and not all of these.
    let hidden = format!("{word}secret");
    let mut secrets = titled(&owner, [hidden.as_str(); 498]);
    for media in &mut secrets {
        media.is_private = true;
    }
    media.extend(secrets);
    seed.plant(platform, &media);
    let mut cursor = String::new();
    let mut found = Vec::new();
    loop {
        let path = format!("/search?title={word}{cursor}");
        let page = expect(platform.get(&other, &path).await, StatusCode::OK).await;
        found.push(page["items"].as_array().unwrap().len());
        let Some(next) = page["next_cursor"].as_str() else { break };
        let place = BASE64_URL_SAFE_NO_PAD.decode(next).unwrap();
        assert!(!String::from_utf8_lossy(&place).contains("secret"));
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, [3, 1]);
}

async fn every_wrong_parameter_is_named(platform: &Platform) {
    let user = platform.sign_up().await;
    let long = "é".repeat(201);
    for (query, names) in [
        ("", &["?title"][..]),
        ("title=", &["?title"]),
        ("title=%20", &["?title"]),
        ("title=%E2%80%94%21", &["?title"]),
        ("title=%00", &["?title"]),
        (&format!("title={long}"), &["?title"]),
        ("title=a&limit=0&cursor=x&kind=video", &["?limit", "?cursor", "?kind"]),
    ] {
        let answer = platform.get(&user, &format!("/search?{query}")).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), names, "{query}");
    }
    // As long as a title may be, with more words than are kept of one.
    let longest: String = ('一'..='龥').take(200).collect();
    assert_eq!(search(platform, &user, &longest).await, [] as [Value; 0]);
    let answer = platform.request(Method::GET, "/search?title=a").send().await.unwrap();
    expect_problem(answer, StatusCode::UNAUTHORIZED, "token_missing").await;
}

async fn only_its_own_cursor_is_taken(platform: &Platform) {
    let seed = Seed::sow(platform).await;
    let user = platform.sign_up().await;
    let word = fresh_word();
    seed.plant(platform, &titled(&user, [word.as_str(); 3]));
    let page = async |title: &str, cursor: &str| {
        platform.get(&user, &path_of(&[("title", title), ("limit", "1"), ("cursor", cursor)])).await
    };
    let first = platform.get(&user, &format!("/search?title={word}&limit=1")).await;
    let first = expect(first, StatusCode::OK).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    // The same search in other words.
    for title in [word.to_uppercase(), format!(" {word}, {word}! ")] {
        let second = page(&title, cursor).await;
        assert_eq!(expect(second, StatusCode::OK).await["items"].as_array().unwrap().len(), 1);
    }
    for title in [format!("{word} film"), format!("{word}a"), word[1..].to_owned(), "film".to_owned()] {
        let answer = page(&title, cursor).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["?cursor"], "{title}");
    }
    // Whatever becomes of its bytes, it is either refused or a place in the list.
    let place = BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap();
    let mut tampered: Vec<Vec<u8>> = (0..place.len())
        .map(|number| {
            let mut place = place.clone();
            place[number] ^= 0x21;
            place
        })
        .collect();
    tampered.extend([
        place[..place.len() - 1].to_vec(),
        [&place[..], b"#"].concat(),
        [&place[..], b"\xff"].concat(),
    ]);
    let mut refused = 0;
    for place in tampered {
        let answer = page(&word, &BASE64_URL_SAFE_NO_PAD.encode(place)).await;
        if answer.status() != StatusCode::OK {
            expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
            refused += 1;
        }
    }
    // All but those in the id, which a client can make up.
    assert!(refused >= place.len() - 16, "{refused} of {}", place.len());
}

/// Titles that begin with one word, and what is added after each page.
#[derive(Clone, Debug)]
struct Paging {
    at_first: Vec<(u64, u8, bool)>,
    added: Vec<(u64, u8, bool)>,
    limit: usize,
}

fn paging() -> impl Strategy<Value = Paging> {
    let media = || (0..1_000_000_u64, 0..4_u8, any::<bool>());
    (proptest::collection::vec(media(), 0..40), proptest::collection::vec(media(), 0..40), 1..12_usize)
        .prop_map(|(at_first, added, limit)| Paging { at_first, added, limit })
}

async fn pages_show_everything_once_whatever_is_added(platform: &Platform) {
    const CASES: usize = 10;
    let seed = Seed::sow(platform).await;
    let (owner, other) = (platform.sign_up().await, platform.sign_up().await);
    let mut runner = TestRunner::deterministic();
    for number in 0..CASES {
        let case = paging().new_tree(&mut runner).unwrap().current();
        let word = fresh_word();
        let copied = |&(age_ms, end, is_private): &(u64, u8, bool)| Copied {
            word: format!("{word}{}", ["", "a", "ab", "z"][usize::from(end)]),
            is_private,
            ..Copied::of(id_made_before(Duration::from_millis(age_ms)), &owner.id)
        };
        let at_first: Vec<Copied> = case.at_first.iter().map(copied).collect();
        seed.plant(platform, &at_first);
        let mut added = case.added.iter().map(copied);
        let caller = if number % 2 == 0 { &owner } else { &other };
        let (mut shown, mut cursor) = (Vec::new(), String::new());
        for page_number in 0.. {
            assert!(page_number < 1_000, "{case:?} does not end");
            let path = format!("/search?title={word}&limit={}{cursor}", case.limit);
            let page = expect(platform.get(caller, &path).await, StatusCode::OK).await;
            shown.extend(ids(page["items"].as_array().unwrap()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            seed.plant(platform, &added.by_ref().take(3).collect::<Vec<_>>());
        }
        let once: BTreeSet<Uuid> = shown.iter().copied().collect();
        assert_eq!(once.len(), shown.len(), "shown twice: {case:?}");
        for media in at_first {
            let is_visible = caller.id == owner.id || !media.is_private;
            assert_eq!(once.contains(&media.id), is_visible, "{media:?} in {case:?}");
        }
    }
}

async fn a_search_costs_the_same_whatever_is_stored(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let seed = Seed::sow(&platform).await;
    let (owner, other) = (platform.sign_up().await, platform.sign_up().await);
    for stored in [200, 1_000] {
        let mut media =
            titled(&owner, (0..stored).map(|number| if number % 2 == 0 { "shown" } else { "shownlonger" }));
        let mut hidden = titled(&owner, (0..stored).map(|_| "hidden"));
        for media in &mut hidden {
            media.is_private = true;
        }
        media.append(&mut hidden);
        seed.plant(&platform, &media);
        for limit in [1, 20, 100] {
            for title in ["film%20shown", "shown", "sho"] {
                let (calls, read) =
                    cost(&platform, &other, &format!("/search?title={title}&limit={limit}")).await;
                // Those with the word itself, those with a longer one, and the records.
                assert!(calls <= 3, "{title}, {limit} of {stored}: {calls} calls");
                assert!(read <= 2 * limit + 1, "{title}, {limit} of {stored}: {read} items");
            }
        }
        // Nothing but what is hidden: a bounded part of it is read, and in few calls.
        let (calls, read) = cost(&platform, &other, "/search?title=hidden&limit=1").await;
        assert!(calls <= 9 && read <= 500, "{calls} calls, {read} items");
    }
    // In the end it is told that there is nothing.
    let found = pages(&platform, &other, "/search?title=hidden&limit=100").await;
    assert_eq!((found.len(), found.concat().len()), (3, 0));
    platform.shut_down().await;
}
