//! Lists and searches among many media: how many calls of DynamoDB a page takes, and how many items those read.
//!
//! `cargo benchmark lists [-- MEDIA]`; 100 000 by default, of 1 000 users. Fails if a page reads more items than a small
//! multiple of itself, or takes more calls than it does among 1 000 media.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)]
#[path = "../src/platform.rs"]
mod platform;
#[allow(dead_code)]
#[path = "../src/seed.rs"]
mod seed;

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use uuid::Uuid;

use crate::platform::{Platform, User, expect};
use crate::seed::{Copied, Seed, id_made_before, to_json};

const FEW: u64 = 1_000;
const USERS: u64 = 1_000;
const LIMIT: u64 = 20;
const BATCH: usize = 2_000;

fn main() {
    let many = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(many));
}

/// A page, and what it cost.
struct Measured {
    calls: usize,
    items_read: u64,
    /// How many items may be read for each that the page has room for.
    allowed: u64,
    is_empty: bool,
    time: Duration,
}

async fn measure(many: u64) {
    let platform = Platform::start(|_| {}).await;
    let seed = Seed::sow(&platform).await;
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let others: Vec<String> = (1..USERS).map(|_| Uuid::now_v7().to_string()).collect();
    plant_users(&platform, &user, &others).await;

    let begun = Instant::now();
    plant(&platform, &seed, &user, &others, 0..FEW);
    let few = pages(&platform, &user, &admin, &others[0]).await;
    plant(&platform, &seed, &user, &others, FEW..many);
    let planting = begun.elapsed();
    let all = pages(&platform, &user, &admin, &others[0]).await;
    platform.shut_down().await;

    println!(
        "{many} media of {USERS} users, put in place in {:.0} s; pages of {LIMIT}",
        planting.as_secs_f64()
    );
    println!("{:<34} {:>13} {:>13} {:>9} {:>10}", "", "calls", "items read", "per item", "time");
    let mut is_kept = true;
    for ((name, few), (_, all)) in few.iter().zip(&all) {
        println!(
            "{name:<34} {:>5} -> {:>4} {:>5} -> {:>4} {:>9.1} {:>7} ms",
            few.calls,
            all.calls,
            few.items_read,
            all.items_read,
            per_item(all.items_read),
            all.time.as_millis()
        );
        is_kept &= all.items_read <= all.allowed * LIMIT && all.calls == few.calls && !all.is_empty;
    }
    assert!(is_kept, "a page costs more than it should");
}

#[allow(clippy::cast_precision_loss)]
fn per_item(items_read: u64) -> f64 {
    items_read as f64 / LIMIT as f64
}

/// Accounts with these ids: copies of a user's profile.
async fn plant_users(platform: &Platform, user: &User, ids: &[String]) {
    let profile = platform.item(&format!("USER#{}", user.id), "PROFILE").await.unwrap();
    let profile = to_json(&profile).to_string();
    let copies = ids.iter().map(|id| serde_json::from_str(&profile.replace(&user.id, id)).unwrap());
    platform.aws().import_items(&platform.stack.stack().tables[0].name, copies.collect()).unwrap();
}

/// One media in ten is the user's, the others are spread over all others; one in four is private.
fn plant(platform: &Platform, seed: &Seed, user: &User, others: &[String], numbers: std::ops::Range<u64>) {
    let copies: Vec<Copied> = numbers
        .map(|number| {
            let another = usize::try_from(number).unwrap() % others.len();
            // Most of the others have a hundred, one has as many as make a page even among few.
            let owner = match number % 10 {
                0 => &user.id,
                1 => &others[0],
                _ => &others[another],
            };
            let copied = Copied::of(id_made_before(Duration::from_secs(number)), owner);
            let tag = if number % 5 == 0 { "sea" } else { "land" };
            Copied { word: format!("w{number}"), tag: tag.to_owned(), is_private: number % 4 == 3, ..copied }
        })
        .collect();
    for batch in copies.chunks(BATCH) {
        seed.plant(platform, batch);
    }
}

async fn pages(
    platform: &Platform,
    user: &User,
    admin: &User,
    other_id: &str,
) -> Vec<(&'static str, Measured)> {
    let others_list = format!("/media?owner={other_id}");
    let mut measured = Vec::new();
    for (name, caller, path, allowed) in [
        // Four shards of what is listed to members, and one's own; of each one item more than the page has.
        ("list", user, "/media?", 6),
        ("list of an admin", admin, "/media?", 9),
        ("own list", user, "/media?owner=me", 2),
        ("another's list", user, others_list.as_str(), 2),
        ("list of a tag", user, "/media?tag=sea", 3),
        ("search of a word all titles have", user, "/search?title=film", 4),
        ("search of its beginning", user, "/search?title=fi", 4),
        // Both words have to be there, and the longer one is looked up.
        ("search of a tenth of these titles", user, "/search?title=w1%20film", 26),
    ] {
        let (sequence, begun) = (platform.calls().sequence(), Instant::now());
        let path = format!("{path}&limit={LIMIT}");
        let page = expect(platform.get(caller, &path).await, StatusCode::OK).await;
        let time = begun.elapsed();
        let calls = platform.calls().since(sequence);
        let calls: Vec<_> = calls.iter().filter(|call| call.service == "dynamodb").collect();
        let items_read = calls.iter().map(|call| call.items_read).sum();
        let is_empty = page["items"].as_array().unwrap().is_empty();
        measured.push((name, Measured { calls: calls.len(), items_read, allowed, is_empty, time }));
    }
    measured
}
