//! Views of one media by many, while DynamoDB throttles: how many a second, and whether all are counted.
//!
//! `cargo benchmark views [-- VIEWERS]`; 1 000 by default, each with ten views, over 50 connections, while 1 % of the
//! calls of DynamoDB are throttled. Every fifth view is told of twice. Fails unless every view that was answered 202 is
//! counted once, every viewer is, and the log has them all.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)]
#[path = "../src/audience.rs"]
mod audience;
#[allow(dead_code)]
#[path = "../src/mint.rs"]
mod mint;
#[allow(dead_code)]
#[path = "../src/platform.rs"]
mod platform;
#[allow(dead_code)]
#[path = "../src/seed.rs"]
mod seed;

use std::num::NonZeroU32;
use std::time::Instant;

use local::aws::Disturbance;
use reqwest::StatusCode;

use crate::audience::Audience;
use crate::platform::{File, Platform, expect};

const VIEWS_OF_EACH: usize = 10;
const CONNECTIONS: usize = 50;
const THROTTLED_ONE_IN: Option<NonZeroU32> = NonZeroU32::new(100);

fn main() {
    let viewers = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(viewers));
}

async fn measure(viewers: usize) {
    let platform = Platform::start(|_| {}).await;
    let owner = platform.sign_up().await;
    let media = platform.upload(&owner, &File::video()).await;
    let media_id = media["id"].as_str().unwrap();
    let audience = Audience::gather(&platform, viewers).await;

    platform.aws().disturb(Disturbance { throttle_one_in: THROTTLED_ONE_IN, ..Disturbance::default() });
    let begun = Instant::now();
    let tally = audience.view(&platform, media_id, VIEWS_OF_EACH, CONNECTIONS).await;
    let seconds = begun.elapsed().as_secs_f64();
    platform.aws().disturb(Disturbance::default());

    let (sequence, begun) = (platform.calls().sequence(), Instant::now());
    let path = format!("/media/{media_id}/analytics?days=365");
    let analytics = expect(platform.get(&owner, &path).await, StatusCode::OK).await;
    let reading = begun.elapsed();
    let calls = platform.calls().since(sequence);
    let items_read: u64 = calls.iter().map(|call| call.items_read).sum();
    platform.shut_down().await;

    let views = viewers * VIEWS_OF_EACH;
    println!("{views} views of one media by {viewers} viewers over {CONNECTIONS} connections");
    println!(
        "requests answered 202     {:>8}, {:.0} a second",
        tally.accepted,
        per_second(tally.accepted, seconds)
    );
    println!("requests answered 503     {:>8}, made again", tally.unavailable);
    println!("views counted             {:>8}", analytics["total_views"]);
    println!("viewers counted           {:>8}", analytics["unique_viewers"]);
    println!(
        "analytics of a year       {:>8} calls, {items_read} items read, {} ms",
        calls.len(),
        reading.as_millis()
    );
    let today = analytics["daily"].as_array().unwrap().last().unwrap();
    for counted in [&analytics["total_views"], &today["views"]] {
        assert_eq!(counted.as_u64(), Some(views as u64), "views");
    }
    for counted in [&analytics["unique_viewers"], &today["unique_viewers"]] {
        assert_eq!(counted.as_u64(), Some(viewers as u64), "viewers");
    }
}

#[allow(clippy::cast_precision_loss)]
fn per_second(requests: usize, seconds: f64) -> f64 {
    requests as f64 / seconds
}
