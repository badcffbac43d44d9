//! Whatever happens to uploads, in whatever order, and wherever a function dies: once all is swept, what a user's files
//! take is what is there, and nothing is there that nobody knows of.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use local::aws::{Answer, Interception, Principal};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::methods::send_form;
use crate::miniatures::Image;
use crate::platform::{File, Item, Platform, User};
use crate::processing::{deliver, event_of, put_as_operator};
use crate::sweep::{DAYS, HOURS, MINUTES, platform_without_events, sweep_at};

crate::tests![
    what_is_left_is_what_is_counted,
    what_is_left_is_what_is_counted_if_functions_die,
    what_is_left_is_what_is_counted_if_events_get_lost,
];

/// How many media a series is about.
const MEDIA: usize = 4;

/// How many of its steps happen at a time.
const AT_ONCE: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Announce { method: &'static str, is_digest_declared: bool, has_miniature: bool },
    SendFile,
    SendForm,
    SendMiniature,
    SendPastTheUrl,
    TellTwice,
    Complete,
    Abort,
    AbortMiniature,
    Edit { visibility: &'static str },
    Delete,
    Sweep { offset_seconds: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let announce = (prop::sample::select(vec!["put", "post", "multipart"]), any::<bool>(), any::<bool>());
    let announce = announce.prop_map(|(method, is_digest_declared, has_miniature)| Step::Announce {
        method,
        is_digest_declared,
        has_miniature,
    });
    let visibility = prop::sample::select(vec!["members", "private"]);
    let offset_seconds = prop::sample::select(vec![0, 20 * MINUTES, 25 * HOURS, 28 * HOURS]);
    prop_oneof![
        6 => announce,
        8 => Just(Step::SendFile),
        2 => Just(Step::SendForm),
        6 => Just(Step::SendMiniature),
        1 => Just(Step::SendPastTheUrl),
        1 => Just(Step::TellTwice),
        5 => Just(Step::Complete),
        1 => Just(Step::Abort),
        1 => Just(Step::AbortMiniature),
        5 => visibility.prop_map(|visibility| Step::Edit { visibility }),
        2 => Just(Step::Delete),
        1 => offset_seconds.prop_map(|offset_seconds| Step::Sweep { offset_seconds }),
    ]
}

/// What was answered when one of the media was announced last.
type Announced = std::sync::Mutex<[Value; MEDIA]>;

struct Journey<'a> {
    platform: &'a Platform,
    user: &'a User,
    announced: Announced,
}

impl Journey<'_> {
    fn file(place: usize) -> File {
        let mut file = if place == 0 { File::sample("v_bad_text.mp4") } else { File::video() };
        if place > 1 {
            *file.bytes.last_mut().unwrap() = u8::try_from(place).unwrap();
        }
        file
    }

    async fn send(&self, request: RequestBuilder) -> Option<Response> {
        let answer = request.bearer_auth(&self.user.token).send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(status < 500 || status == 503, "{status}: {}", answer.text().await.unwrap());
        answer.status().is_success().then_some(answer)
    }

    async fn take(&self, place: usize, step: Step) {
        let (platform, file) = (self.platform, Self::file(place));
        let announced = self.announced.lock().unwrap()[place].clone();
        let media_id = announced["media"]["id"].as_str().map(str::to_owned);
        let request = |method, path: String| platform.request(method, &path);
        match (step, media_id) {
            (Step::Announce { method, is_digest_declared, has_miniature }, _) => {
                let mut body = file.announcement();
                body["upload_method"] = json!(method);
                body["tags"] = json!(["tag"]);
                if is_digest_declared {
                    body["checksum_sha256"] = json!(file.sha256());
                }
                if has_miniature {
                    body["miniature"] = Image::png().announcement();
                }
                let request = request(Method::POST, "/media".to_owned()).json(&body);
                if let Some(answer) = self.send(request).await {
                    let created = answer.json().await.unwrap();
                    self.announced.lock().unwrap()[place] = created;
                }
            }
            (Step::SendFile, Some(_)) => self.send_file(&announced["upload"], file.bytes).await,
            (Step::SendForm, Some(_)) => {
                let form = crate::forms::form_of(&file).text("title", "T").text("tags", "tag");
                self.send(request(Method::POST, "/media".to_owned()).multipart(form)).await;
            }
            (Step::SendMiniature, Some(_)) => {
                self.send_file(&announced["miniature_upload"], Image::png().bytes).await;
            }
            (Step::SendPastTheUrl, Some(media_id)) => {
                put_as_operator(platform, &media_id, &file).await;
            }
            (Step::TellTwice, Some(media_id)) => {
                let (version_id, etag) = put_as_operator(platform, &media_id, &file).await;
                deliver(platform, &event_of(platform, &media_id, &version_id, &etag)).await;
            }
            (Step::Complete, Some(_)) => {
                if let Some(upload_id) = announced["upload"]["upload_id"].as_str() {
                    self.send(request(Method::POST, format!("/api/v1/{upload_id}/complete"))).await;
                }
            }
            (Step::Abort, Some(_)) => {
                if let Some(upload_id) = announced["upload"]["upload_id"].as_str() {
                    self.send(request(Method::DELETE, format!("/api/v1/{upload_id}"))).await;
                }
            }
            (Step::AbortMiniature, Some(_)) => {
                if let Some(upload_id) = announced["miniature_upload"]["upload_id"].as_str() {
                    self.send(request(Method::DELETE, format!("/api/v1/{upload_id}"))).await;
                }
            }
            (Step::Edit { visibility }, Some(media_id)) => {
                let body = json!({"visibility": visibility});
                self.send(request(Method::PATCH, format!("/media/{media_id}")).json(&body)).await;
            }
            (Step::Delete, Some(media_id)) => {
                self.send(request(Method::DELETE, format!("/media/{media_id}"))).await;
            }
            (Step::Sweep { offset_seconds }, _) => {
                platform.set_clock_offset(offset_seconds);
                // It may be one that dies.
                let _ = platform.stack.run_schedule("sweep").await;
                platform.set_clock_offset(0);
            }
            (_, None) => {}
        }
    }

    /// Sends a file as its upload says, whether S3 takes it or not.
    async fn send_file(&self, upload: &Value, bytes: Vec<u8>) {
        match upload["method"].as_str() {
            Some("put") => drop(self.platform.put(upload, bytes).await),
            Some("post") => drop(send_form(self.platform, upload, bytes).await),
            Some(_) => {
                let url = upload["parts"][0]["url"].as_str().unwrap();
                drop(self.platform.http.put(url).body(bytes).send().await.unwrap());
            }
            None => {}
        }
    }
}

/// Lets the functions' calls break off now and then, before or after they are carried out.
fn break_off_some(platform: &Platform) -> Interception {
    let state = AtomicU64::new(u64::from_be_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().unwrap()));
    platform.calls().intercept(move |attempt| {
        let Principal::Function(_) = attempt.principal else { return None };
        // SplitMix64.
        let mut random = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^= random >> 31;
        // Lambda's poller is nothing that dies.
        if attempt.service == "sqs" {
            return None;
        }
        // One call in eight. More often, and the SDK would stop trying again, as it does where a service is down.
        match random % 16 {
            0 => Some(Answer::Drop),
            1 => Some(Answer::DropAnswer),
            _ => None,
        }
    })
}

/// Steps that are shown if what follows them fails.
struct Shown(Vec<(usize, Step)>);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}", self.0);
        }
    }
}

async fn go_through(platform: &Platform, is_breaking_off: bool, is_told: bool) {
    let user = platform.sign_up().await;
    let steps = prop::collection::vec((0..MEDIA, step()), 90);
    let steps = steps.new_tree(&mut TestRunner::default()).unwrap().current();
    let steps = Shown(steps);
    let journey = Journey { platform, user: &user, announced: Announced::default() };
    let interception = is_breaking_off.then(|| break_off_some(platform));
    for steps in steps.0.chunks(AT_ONCE) {
        futures::future::join_all(steps.iter().map(|(place, step)| journey.take(*place, *step))).await;
    }
    drop(interception);
    for _ in 0..2 {
        for days in [0, 1, 2, 3, 4, 8, 12, 16, 24, 30] {
            platform.idle().await;
            sweep_at(platform, days * DAYS + 4 * HOURS).await;
        }
    }
    platform.idle().await;
    check(platform, &user, is_told).await;
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).map_or("", |value| value.as_s().unwrap())
}

fn number(item: &Item, name: &str) -> u64 {
    item.get(name).map_or(0, |value| value.as_n().unwrap().parse().unwrap())
}

async fn every_item(platform: &Platform) -> Vec<Item> {
    let scan = platform.dynamodb().scan().table_name(&platform.stack.stack().tables[0].name).send();
    scan.await.unwrap().items.unwrap_or_default()
}

/// What the buckets have of a media that nobody asks S3 for by key: whatever it is, it is there.
async fn keys(platform: &Platform, bucket: &str) -> BTreeSet<String> {
    let list = platform.s3().list_objects_v2().bucket(platform.bucket(bucket)).send().await.unwrap();
    list.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
}

/// What arrives after the end, and of which S3's event gets lost, is left to the lifecycle rule.
async fn check(platform: &Platform, user: &User, is_told: bool) {
    let items = every_item(platform).await;
    let of = |prefix: &'static str| items.iter().filter(move |item| text(item, "PK").starts_with(prefix));
    assert_eq!(of("WORK#").collect::<Vec<_>>(), Vec::<&Item>::new(), "nothing is owed any more");
    let records: Vec<&Item> = of("MEDIA#")
        .filter(|item| text(item, "SK") == "RECORD" && !item.contains_key("deleted_at"))
        .collect();
    let (mut usage, mut published) = (0, BTreeSet::new());
    for record in &records {
        let (id, status) = (text(record, "id"), text(record, "status"));
        assert!(matches!(status, "ready" | "expired" | "rejected"), "{record:?}");
        let mut there = 0;
        if status == "ready" {
            published.insert(format!("media/{id}/source"));
            there += number(record, "size_bytes");
        }
        if let Some(miniature) = record.get("miniature").map(|miniature| miniature.as_m().unwrap()) {
            let is_shown = status == "ready" && text(miniature, "status") == "published";
            let miniature_status = text(miniature, "status");
            assert!(matches!(miniature_status, "published" | "expired" | "rejected"), "{record:?}");
            if is_shown {
                published.insert(format!("media/{id}/thumbnail/{}", text(miniature, "key")));
                there += number(miniature, "size_bytes");
            }
        }
        assert_eq!(number(record, "reserved_bytes"), there, "{record:?}");
        assert!(!record.contains_key("retired_thumbnail_keys"), "{record:?}");
        usage += there;
    }
    let counted = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap_or_default();
    assert_eq!(number(&counted, "size_bytes"), usage, "{records:#?}");

    let ready = || records.iter().filter(|record| text(record, "status") == "ready");
    let digests: BTreeSet<&str> = of("OWNER#").map(|digest| text(digest, "media_id")).collect();
    let claiming = records.iter().filter(|record| record["claims_digest"].as_bool() == Ok(&true));
    assert_eq!(digests, claiming.map(|record| text(record, "id")).collect());
    let tagged: BTreeSet<&str> = of("TAG#").map(|tag| text(tag, "media_id")).collect();
    assert_eq!(tagged, ready().map(|record| text(record, "id")).collect());
    let media_ids: BTreeSet<&str> = records.iter().map(|record| text(record, "id")).collect();
    for upload in of("UPLOAD#") {
        assert!(media_ids.contains(text(upload, "media_id")), "its media is deleted: {upload:?}");
        assert!(upload.contains_key("expires_at"), "it has not ended: {upload:?}");
    }

    assert_eq!(keys(platform, "MediaBucket").await, published, "{records:#?}");
    if is_told {
        assert_eq!(keys(platform, "IngestBucket").await, BTreeSet::new(), "{records:#?}");
    }
    // One that nobody was told of is left to the lifecycle rule, and one that an object overtook.
    let list = platform.s3().list_multipart_uploads().bucket(platform.bucket("IngestBucket")).send().await;
    let has_ended =
        |record: &&Item| !text(record, "s3_upload_id").is_empty() && text(record, "state") != "completed";
    let ended: BTreeSet<&str> =
        of("UPLOAD#").filter(has_ended).map(|upload| text(upload, "s3_upload_id")).collect();
    for upload in list.unwrap().uploads() {
        assert!(!ended.contains(upload.upload_id().unwrap()), "{upload:?}");
    }
}

async fn what_is_left_is_what_is_counted(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    go_through(&platform, false, true).await;
    platform.shut_down().await;
}

async fn what_is_left_is_what_is_counted_if_functions_die(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    go_through(&platform, true, true).await;
    platform.shut_down().await;
}

async fn what_is_left_is_what_is_counted_if_events_get_lost(_shared: &Platform) {
    let platform = platform_without_events().await;
    go_through(&platform, false, false).await;
    platform.shut_down().await;
}
