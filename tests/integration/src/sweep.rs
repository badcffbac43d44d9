//! What the sweep makes up for: uploads that nobody finished, events that got lost, functions that died, and what all of
//! them left behind. The functions' clock is moved; AWS keeps its own.

use aws_sdk_dynamodb::types::AttributeValue::{self, N, S};
use local::aws::{Answer, Principal};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::platform::{File, Item, Platform, User, expect};
use crate::processing::{event_of, put_as_operator};

mod faults;

pub(crate) use faults::{sweep_killed_at, tests as tests_of_faults};

crate::tests![
    an_upload_that_is_never_sent_expires,
    an_object_whose_event_got_lost_is_processed,
    a_miniature_whose_event_got_lost_is_told_of,
    an_upload_that_was_being_completed_is_finished,
    an_upload_that_cannot_be_completed_goes_on_until_its_deadline,
    what_arrives_after_the_end_is_removed,
    a_thumbnail_that_nobody_will_see_is_removed,
    a_rejected_object_is_kept_for_a_week,
    stuck_processing_is_begun_anew,
    processing_whose_object_is_lost_ends,
    processing_that_stays_stuck_is_given_up,
];

pub(crate) const MINUTES: i64 = 60;
pub(crate) const HOURS: i64 = 60 * MINUTES;
pub(crate) const DAYS: i64 = 24 * HOURS;

/// A platform whose bucket tells nobody of its objects: every event gets lost.
pub(crate) async fn platform_without_events() -> Platform {
    Platform::start(|options| {
        options.template_edit = Some(Box::new(|template| {
            let bucket = &mut template["Resources"]["IngestBucket"]["Properties"];
            bucket.as_object_mut().unwrap().remove("NotificationConfiguration").expect("notifications");
        }));
    })
    .await
}

/// Sweeps at this time from now.
pub(crate) async fn sweep_at(platform: &Platform, offset_seconds: i64) -> Value {
    platform.set_clock_offset(offset_seconds);
    let report = platform.stack.run_schedule("sweep").await.unwrap();
    platform.set_clock_offset(0);
    report
}

pub(crate) fn nothing_but(outcome: &str, count: u32) -> Value {
    json!({"settled": {outcome: count}, "failed": 0, "is_unfinished": false})
}

pub(crate) fn nothing() -> Value {
    json!({"settled": {}, "failed": 0, "is_unfinished": false})
}

/// A file that comes in one part.
async fn announce_in_parts(platform: &Platform, user: &User, file: &File) -> Value {
    let mut body = file.announcement();
    body["upload_method"] = json!("multipart");
    body["part_size_bytes"] = json!(5 * 1024 * 1024);
    expect(platform.post_as(user, "/media", &body).await, StatusCode::CREATED).await
}

async fn put_part(platform: &Platform, upload: &Value, part_number: usize, bytes: Vec<u8>) {
    let url = upload["parts"][part_number - 1]["url"].as_str().unwrap();
    let answer = platform.http.put(url).body(bytes).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

fn id_of(created: &Value) -> String {
    created["media"]["id"].as_str().unwrap().to_owned()
}

async fn status(platform: &Platform, user: &User, media_id: &str) -> String {
    let media = expect(platform.get(user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    media["status"].as_str().unwrap().to_owned()
}

pub(crate) async fn usage(platform: &Platform, user: &User) -> usize {
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    usage["size_bytes"].as_n().unwrap().parse().unwrap()
}

/// What the ingest bucket has for the source of a media: whether there is any version or delete marker, and how many
/// multipart uploads.
pub(crate) async fn left_in_s3(platform: &Platform, media_id: &str) -> (bool, usize) {
    let (bucket, key) = (platform.bucket("IngestBucket"), format!("uploads/{media_id}/source"));
    let is_there = match platform.s3().head_object().bucket(&bucket).key(&key).send().await {
        Ok(_) => true,
        Err(error) => error.raw_response().unwrap().headers().contains_key("x-amz-delete-marker"),
    };
    let uploads = platform.s3().list_multipart_uploads().bucket(bucket).prefix(key).send().await.unwrap();
    (is_there, uploads.uploads().len())
}

async fn write(platform: &Platform, item: Item) {
    let table = &platform.stack.stack().tables[0].name;
    platform.dynamodb().put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
}

async fn delete(platform: &Platform, item: &Item) {
    let table = &platform.stack.stack().tables[0].name;
    let delete = platform.dynamodb().delete_item().table_name(table);
    delete.key("PK", item["PK"].clone()).key("SK", item["SK"].clone()).send().await.unwrap();
}

/// What complete-upload writes before it calls S3: the media is completing, and its work due in 15 minutes.
async fn begin_to_complete(platform: &Platform, media_id: &str) {
    let due = rfc_3339(i64::try_from(now_seconds()).unwrap() + 15 * MINUTES);
    let mut record = platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap();
    record.insert("status".to_owned(), S("completing".to_owned()));
    let version: u64 = record["version"].as_n().unwrap().parse().unwrap();
    record.insert("version".to_owned(), N((version + 1).to_string()));
    let AttributeValue::M(work) = record.get_mut("work").unwrap() else { panic!("no map") };
    work.insert("due".to_owned(), S(due.clone()));
    write(platform, record).await;
    let [mut item] = <[Item; 1]>::try_from(platform.work_of(media_id).await).expect("one item of work");
    delete(platform, &item).await;
    item.insert("SK".to_owned(), S(format!("{due}#upload#{media_id}")));
    item.insert("due".to_owned(), S(due));
    write(platform, item).await;
}

fn now_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn rfc_3339(unix_seconds: i64) -> String {
    use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
    DateTime::from_secs(unix_seconds).fmt(DateTimeFormat::DateTime).unwrap()
}

async fn an_upload_that_is_never_sent_expires(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let mut body = json!({
        "title": "T", "filename": "f", "content_type": "video/mp4", "size_bytes": 6 * 1024 * 1024,
        "checksum_sha256": File::video().sha256(), "upload_method": "multipart", "part_size_bytes": 5 * 1024 * 1024,
        "miniature": {"filename": "m.png", "content_type": "image/png", "size_bytes": 100},
    });
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let media_id = id_of(&created);
    put_part(&platform, &created["upload"], 1, vec![0; 5 * 1024 * 1024]).await;
    assert_eq!(usage(&platform, &user).await, 6 * 1024 * 1024 + 100);
    assert_eq!(left_in_s3(&platform, &media_id).await, (false, 1));
    assert_eq!(sweep_at(&platform, 23 * HOURS).await, nothing(), "it can still be sent");

    // The media and its miniature.
    assert_eq!(sweep_at(&platform, DAYS + MINUTES).await, nothing_but("expired", 2));
    assert_eq!(status(&platform, &user, &media_id).await, "expired");
    assert_eq!(usage(&platform, &user).await, 0);
    assert_eq!(left_in_s3(&platform, &media_id).await, (false, 0), "the parts are gone");
    for upload in ["upload", "miniature_upload"] {
        let upload_id = created[upload]["upload_id"].as_str().unwrap();
        let record = platform.item(&format!("UPLOAD#{upload_id}"), "UPLOAD").await.unwrap();
        assert_eq!(record["state"].as_s().unwrap(), "expired", "{upload}");
        assert!(record["expires_at"].as_n().is_ok(), "{upload}");
    }
    // The same file is a new one.
    body.as_object_mut().unwrap().remove("miniature");
    let again = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    assert_ne!(id_of(&again), media_id);

    assert_eq!(platform.kinds_of_work(&media_id).await, ["leftovers"]);
    assert_eq!(sweep_at(&platform, DAYS + 2 * HOURS).await["settled"]["removed"], Value::Null);
    assert_eq!(sweep_at(&platform, DAYS + 3 * HOURS).await["settled"]["removed"], 1);
    assert_eq!(platform.kinds_of_work(&media_id).await, Vec::<String>::new());
    assert_eq!(status(&platform, &user, &media_id).await, "expired");
    platform.shut_down().await;
}

async fn an_object_whose_event_got_lost_is_processed(_shared: &Platform) {
    let platform = platform_without_events().await;
    let user = platform.sign_up().await;
    let file = File::video();
    let created = platform.announce(&user, &file).await;
    let media_id = id_of(&created);
    assert_eq!(platform.put(&created["upload"], file.bytes.clone()).await.status(), StatusCode::OK);
    assert_eq!(sweep_at(&platform, DAYS + MINUTES).await, nothing_but("told", 1));
    assert_eq!(platform.settled(&user, &media_id).await["status"], "ready");
    assert_eq!(usage(&platform, &user).await, file.bytes.len());
    // However late it is looked at again.
    assert_eq!(sweep_at(&platform, 30 * DAYS).await, nothing());
    platform.shut_down().await;
}

async fn a_miniature_whose_event_got_lost_is_told_of(_shared: &Platform) {
    let platform = platform_without_listeners().await;
    let user = platform.sign_up().await;
    let file = File::video();
    let mut body = file.announcement();
    body["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": 4});
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let media_id = id_of(&created);
    let (version_id, etag) = put_as_operator(&platform, &media_id, &file).await;
    let event = event_of(&platform, &media_id, &version_id, &etag);
    platform.stack.invoke("ExtractMetadataFunction", event).await.unwrap();
    assert_eq!(status(&platform, &user, &media_id).await, "ready");
    let answer = platform.put(&created["miniature_upload"], b"\x89PNG".to_vec()).await;
    assert_eq!(answer.status(), StatusCode::OK);

    assert_eq!(sweep_at(&platform, DAYS + MINUTES).await, nothing_but("told", 1));
    let (queue, key) = (platform.queue("IngestQueue"), format!("uploads/{media_id}/miniature"));
    assert_eq!(platform.aws().queues().counts_containing(&queue, &key).unwrap().visible, 1);
    // It is still owed, each time for twice as long, and nothing is reserved or released by looking.
    assert_eq!(usage(&platform, &user).await, file.bytes.len() + 4);
    assert_eq!(sweep_at(&platform, 2 * DAYS).await, nothing());
    assert_eq!(sweep_at(&platform, 3 * DAYS + HOURS).await, nothing_but("told", 1));
    assert_eq!(sweep_at(&platform, 7 * DAYS).await, nothing());
    assert_eq!(sweep_at(&platform, 7 * DAYS + 2 * HOURS).await, nothing_but("given_up", 1));
    assert_eq!(usage(&platform, &user).await, file.bytes.len());
    assert_eq!(status(&platform, &user, &media_id).await, "ready");
    assert_eq!(sweep_at(&platform, 30 * DAYS).await, nothing());
    platform.shut_down().await;
}

async fn an_upload_that_was_being_completed_is_finished(_shared: &Platform) {
    let platform = platform_without_events().await;
    let user = platform.sign_up().await;
    let file = File::video();
    let created = announce_in_parts(&platform, &user, &file).await;
    let media_id = id_of(&created);
    put_part(&platform, &created["upload"], 1, file.bytes.clone()).await;
    begin_to_complete(&platform, &media_id).await;
    assert_eq!(sweep_at(&platform, 10 * MINUTES).await, nothing());
    assert_eq!(sweep_at(&platform, 16 * MINUTES).await, nothing_but("joined", 1));
    assert_eq!(left_in_s3(&platform, &media_id).await, (true, 0), "one object, no parts");
    // S3's own event got lost too.
    assert_eq!(sweep_at(&platform, 2 * HOURS).await, nothing_but("told", 1));
    let settled = platform.wait_for(&user, &media_id, |media| media["status"] == "ready").await;
    assert_eq!(settled["size_bytes"], file.bytes.len());
    platform.shut_down().await;
}

async fn an_upload_that_cannot_be_completed_goes_on_until_its_deadline(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let file = File::video();
    let created = announce_in_parts(&platform, &user, &file).await;
    let media_id = id_of(&created);
    begin_to_complete(&platform, &media_id).await;
    assert_eq!(sweep_at(&platform, 16 * MINUTES).await, nothing_but("reopened", 1));
    assert_eq!(status(&platform, &user, &media_id).await, "awaiting_upload");
    assert_eq!(left_in_s3(&platform, &media_id).await, (false, 1), "it goes on");
    assert_eq!(sweep_at(&platform, 23 * HOURS).await, nothing());
    // Completed at the last moment, and then found to be incomplete.
    begin_to_complete(&platform, &media_id).await;
    assert_eq!(sweep_at(&platform, DAYS + HOURS).await, nothing_but("expired", 1));
    assert_eq!(left_in_s3(&platform, &media_id).await, (false, 0));
    platform.shut_down().await;
}

async fn what_arrives_after_the_end_is_removed(_shared: &Platform) {
    let platform = platform_without_events().await;
    let user = platform.sign_up().await;
    let file = File::video();
    let created = platform.announce(&user, &file).await;
    let media_id = id_of(&created);
    assert_eq!(sweep_at(&platform, DAYS + MINUTES).await, nothing_but("expired", 1));
    // By a URL that was signed just before.
    assert_eq!(platform.put(&created["upload"], file.bytes.clone()).await.status(), StatusCode::OK);
    put_as_operator(&platform, &media_id, &file).await;
    assert_eq!(left_in_s3(&platform, &media_id).await, (true, 0));
    assert_eq!(sweep_at(&platform, DAYS + 3 * HOURS).await, nothing_but("removed", 1));
    assert_eq!(left_in_s3(&platform, &media_id).await, (false, 0), "every version");
    assert_eq!(sweep_at(&platform, 30 * DAYS).await, nothing());
    platform.shut_down().await;
}

async fn a_thumbnail_that_nobody_will_see_is_removed(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let image = std::fs::read(format!("{}/images/8x6.png", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut body = File::video().announcement();
    body["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": image.len()});
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let media_id = id_of(&created);
    assert_eq!(platform.put(&created["miniature_upload"], image).await.status(), StatusCode::OK);
    platform.wait_for(&user, &media_id, |media| media["thumbnail_url"].is_string()).await;
    let miniature = || async {
        let record = platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap();
        let miniature = record["miniature"].as_m().unwrap().clone();
        let key = format!("media/{media_id}/thumbnail/{}", miniature["key"].as_s().unwrap());
        let head = platform.s3().head_object().bucket(platform.bucket("MediaBucket")).key(key).send().await;
        (miniature["status"].as_s().unwrap().clone(), head.is_ok())
    };
    assert_eq!(miniature().await, ("published".to_owned(), true));

    assert_eq!(sweep_at(&platform, DAYS + MINUTES).await, nothing_but("expired", 1), "the file never came");
    assert_eq!(sweep_at(&platform, DAYS + 3 * HOURS).await, nothing_but("removed", 1));
    assert_eq!(miniature().await, ("expired".to_owned(), false));
    assert_eq!(usage(&platform, &user).await, 0);
    platform.shut_down().await;
}

async fn a_rejected_object_is_kept_for_a_week(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let file = File::sample("v_bad_text.mp4");
    let media = platform.upload(&user, &file).await;
    let media_id = media["id"].as_str().unwrap();
    assert_eq!(media["status"], "rejected");
    platform.idle().await;
    assert_eq!(sweep_at(&platform, 6 * DAYS).await, nothing());
    assert_eq!(
        (left_in_s3(&platform, media_id).await, usage(&platform, &user).await),
        ((true, 0), file.bytes.len())
    );
    assert_eq!(sweep_at(&platform, 7 * DAYS + MINUTES).await, nothing_but("removed", 1));
    assert_eq!((left_in_s3(&platform, media_id).await, usage(&platform, &user).await), ((false, 0), 0));
    let after = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    assert_eq!(after["failure"], media["failure"], "it says why for good");
    platform.shut_down().await;
}

/// A platform whose queue nobody listens to.
async fn platform_without_listeners() -> Platform {
    Platform::start(|options| {
        options.template_edit = Some(Box::new(|template| {
            let function = &mut template["Resources"]["ExtractMetadataFunction"]["Properties"];
            function.as_object_mut().unwrap().remove("Events").expect("events");
            let bucket = &mut template["Resources"]["IngestBucket"]["Properties"];
            bucket.as_object_mut().unwrap().remove("NotificationConfiguration").expect("notifications");
        }));
    })
    .await
}

/// A media whose processing broke off, and the version of its object.
async fn break_processing_off(platform: &Platform, user: &User) -> (String, String) {
    let created = platform.announce(user, &File::video()).await;
    let media_id = id_of(&created);
    let (version_id, etag) = put_as_operator(platform, &media_id, &File::video()).await;
    let interception = platform.calls().intercept(|attempt| {
        let is_meant = attempt.operation == "GetObject";
        is_meant.then(|| Answer::Error {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: String::new(),
        })
    });
    let event = event_of(platform, &media_id, &version_id, &etag);
    platform.stack.invoke("ExtractMetadataFunction", event).await.unwrap_err();
    drop(interception);
    assert_eq!(status(platform, user, &media_id).await, "processing");
    (media_id, version_id)
}

async fn stuck_processing_is_begun_anew(_shared: &Platform) {
    let platform = platform_without_events().await;
    let user = platform.sign_up().await;
    let (media_id, _) = break_processing_off(&platform, &user).await;
    assert_eq!(sweep_at(&platform, 11 * HOURS).await, nothing());
    assert_eq!(sweep_at(&platform, 12 * HOURS + MINUTES).await, nothing_but("told", 1));
    assert_eq!(platform.settled(&user, &media_id).await["status"], "ready");
    assert_eq!(platform.kinds_of_work(&media_id).await, Vec::<String>::new());
    platform.shut_down().await;
}

async fn processing_whose_object_is_lost_ends(_shared: &Platform) {
    let platform = platform_without_events().await;
    let user = platform.sign_up().await;
    let (media_id, version_id) = break_processing_off(&platform, &user).await;
    let key = format!("uploads/{media_id}/source");
    let object = platform.s3().delete_object().bucket(platform.bucket("IngestBucket")).key(key);
    object.version_id(version_id).send().await.unwrap();
    assert_eq!(sweep_at(&platform, 12 * HOURS + MINUTES).await, nothing_but("rejected", 1));
    let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    assert_eq!((&media["status"], &media["failure"]["code"]), (&json!("rejected"), &json!("source_missing")));
    let record = platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap();
    let upload = platform.item(&format!("UPLOAD#{}", record["upload_id"].as_s().unwrap()), "UPLOAD").await;
    assert!(upload.unwrap()["expires_at"].as_n().is_ok(), "its upload has ended");
    platform.shut_down().await;
}

async fn processing_that_stays_stuck_is_given_up(_shared: &Platform) {
    let platform = platform_without_listeners().await;
    let user = platform.sign_up().await;
    let (media_id, _) = break_processing_off(&platform, &user).await;
    // Late by days at first; then each time after twice as long.
    for hours in [100, 125, 174] {
        assert_eq!(sweep_at(&platform, hours * HOURS).await, nothing_but("told", 1), "after {hours} h");
        assert_eq!(sweep_at(&platform, (hours + 23) * HOURS).await, nothing(), "after {hours} h");
    }
    assert_eq!(sweep_at(&platform, 271 * HOURS).await, nothing_but("given_up", 1));
    let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    assert_eq!(
        (&media["status"], &media["failure"]["code"]),
        (&json!("failed"), &json!("processing_failed"))
    );
    assert_eq!(left_in_s3(&platform, &media_id).await, (true, 0), "the object is kept for a redrive");
    assert_eq!(sweep_at(&platform, 20 * DAYS).await, nothing());
    platform.shut_down().await;
}

/// Lets the sweep do all that it may: for uploads that nobody finished, in one piece and in parts, one whose object is
/// there, and what they left.
pub(crate) async fn sweep_everything(platform: &Platform, token: &str) {
    let user = User { id: String::new(), email: String::new(), token: token.to_owned() };
    platform.set_clock_offset(0);
    let mut body = File::video().announcement();
    body["checksum_sha256"] = json!(File::video().sha256());
    body["upload_method"] = json!("multipart");
    body["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": 4});
    let _ = platform.post_as(&user, "/media", &body).await;
    let announced = platform.post_as(&user, "/media", &File::video().announcement()).await;
    let announced = announced.json::<Value>().await.unwrap_or_default();
    let interception = platform.calls().intercept(|attempt| {
        // The object stays until the sweep has seen it.
        matches!(&attempt.principal, Principal::Function(id) if id == "ExtractMetadataFunction")
            .then_some(Answer::Drop)
    });
    if announced.get("upload").is_some() {
        let _ = platform.put(&announced["upload"], File::video().bytes).await;
    }
    for hours in [25, 28] {
        platform.set_clock_offset(hours * HOURS);
        let _ = platform.stack.run_schedule("sweep").await;
    }
    drop(interception);
}
