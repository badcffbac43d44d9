//! A large upload through the local stack: how long it takes, how much memory the whole process needs (the stack, its
//! AWS and this client), and how little of the file `extract-metadata` reads.
//!
//! `cargo benchmark large_upload [-- SIZE_MIB]`; 1 GiB by default. Fails if memory or reads are beyond what the README
//! says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)]
#[path = "../src/platform.rs"]
mod platform;

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use reqwest::{Body, StatusCode};
use serde_json::json;

use crate::platform::{File, Platform, expect};

const MIB: u64 = 1024 * 1024;
const CHUNK_BYTES: u64 = 64 * 1024;
const MAX_MEMORY_MIB: u64 = 200;
const MAX_READ_BYTES: u64 = MIB;

fn main() {
    let size_mib = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1024);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(upload(size_mib * MIB));
}

/// A small film, and after it one box that no player looks into.
fn head_of(size_bytes: u64) -> Vec<u8> {
    let mut head = File::video().bytes;
    let free_bytes = size_bytes - head.len() as u64;
    head.extend_from_slice(&1_u32.to_be_bytes());
    head.extend_from_slice(b"free");
    head.extend_from_slice(&free_bytes.to_be_bytes());
    head
}

async fn upload(size_bytes: u64) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let announcement = json!({
        "title": "Large", "filename": "large.mp4", "content_type": "video/mp4", "size_bytes": size_bytes,
        "upload_method": "put",
    });
    let created = expect(platform.post_as(&user, "/media", &announcement).await, StatusCode::CREATED).await;
    let sequence = platform.calls().sequence();

    let begun = Instant::now();
    let request = platform.put_request(&created["upload"], Vec::new()).timeout(Duration::from_mins(30));
    let sent = request.header("content-length", size_bytes).body(body(size_bytes)).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    let sending = begun.elapsed();
    let sent_at = Instant::now();
    let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
    assert_eq!(media["status"], "ready", "{media:#}");
    let processing = sent_at.elapsed();
    platform.idle().await;

    let calls = platform.calls().since(sequence);
    let reads: Vec<_> = calls.iter().filter(|call| call.operation == "GetObject").collect();
    let read_bytes: u64 = reads.iter().map(|call| call.transfer.response_bytes).sum();
    let memory_mib = peak_memory_mib();
    platform.shut_down().await;

    println!("uploaded     {:>9.1} MiB in {:.1} s", as_mib(size_bytes), sending.as_secs_f64());
    println!("ready after  {:>9.1} s", processing.as_secs_f64());
    println!("read         {:>9.1} KiB in {} GETs", as_mib(read_bytes) * 1024.0, reads.len());
    println!("peak memory  {memory_mib:>9} MiB");
    assert!(read_bytes < MAX_READ_BYTES && memory_mib < MAX_MEMORY_MIB, "beyond what the README says");
}

#[allow(clippy::cast_precision_loss)]
fn as_mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

/// The film, then zeros, in chunks.
fn body(size_bytes: u64) -> Body {
    let head = Bytes::from(head_of(size_bytes));
    let zeros = Bytes::from(vec![0; usize::try_from(CHUNK_BYTES).unwrap()]);
    let left = size_bytes - head.len() as u64;
    let chunks = stream::unfold((Some(head), left), move |(head, left)| {
        let zeros = zeros.clone();
        async move {
            if let Some(head) = head {
                return Some((Ok::<_, std::io::Error>(head), (None, left)));
            }
            let length = left.min(CHUNK_BYTES);
            let chunk = zeros.slice(..usize::try_from(length).unwrap());
            (length > 0).then_some((Ok(chunk), (None, left - length)))
        }
    });
    Body::wrap_stream(chunks)
}

/// The most memory that this process had, from Linux's accounting.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells a process's memory");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
