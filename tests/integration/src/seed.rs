//! Media that are there without having been uploaded: what the platform itself wrote for one, copied under other ids.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::{NoContext, Timestamp, Uuid};

use crate::platform::{File, Item, Platform, User, expect};

/// What is replaced in a copy.
const WORD: &str = "seedword";
const TAG: &str = "seedtag";

/// A media to be copied, as the table has it.
pub(crate) struct Seed {
    /// In DynamoDB's JSON: its record, the words of its title, and its tag.
    items: String,
    media_id: String,
    owner_id: String,
}

/// What a copy is.
#[derive(Clone, Debug)]
pub(crate) struct Copied {
    pub(crate) id: Uuid,
    pub(crate) owner_id: String,
    /// The first word of its title, in lower-case letters and digits; the second is `film`.
    pub(crate) word: String,
    pub(crate) tag: String,
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
    pub(crate) is_private: bool,
}

impl Copied {
    /// A ready video that any member may see.
    pub(crate) fn of(id: Uuid, owner_id: &str) -> Self {
        let (owner_id, word, tag) = (owner_id.to_owned(), "copy".to_owned(), "copies".to_owned());
        Self { id, owner_id, word, tag, kind: "video", status: "ready", is_private: false }
    }
}

impl Seed {
    /// Uploads the media that is copied.
    pub(crate) async fn sow(platform: &Platform) -> Self {
        let user = platform.sign_up().await;
        let created = platform.post_as(&user, "/media", &Self::announcement()).await;
        Self::grow(platform, &user, &expect(created, StatusCode::CREATED).await).await
    }

    /// How the media is announced, at least.
    pub(crate) fn announcement() -> Value {
        let mut announcement = File::video().announcement();
        announcement["title"] = json!(format!("{WORD} film"));
        announcement["tags"] = json!([TAG]);
        announcement
    }

    /// Uploads the media as the answer to its announcement says.
    pub(crate) async fn grow(platform: &Platform, user: &User, created: &Value) -> Self {
        assert_eq!(platform.put(&created["upload"], File::video().bytes).await.status(), StatusCode::OK);
        let media_id = created["media"]["id"].as_str().unwrap().to_owned();
        assert_eq!(platform.settled(user, &media_id).await["status"], "ready");
        platform.idle_for(&media_id).await;
        let places = [
            (format!("MEDIA#{media_id}"), "RECORD".to_owned()),
            ("WORD#se".to_owned(), format!("{WORD}#{media_id}")),
            ("WORD#fi".to_owned(), format!("film#{media_id}")),
            (format!("TAG#{TAG}"), media_id.clone()),
        ];
        let mut items = Vec::new();
        for (partition, sort) in places {
            items.push(to_json(&platform.item(&partition, &sort).await.expect("what a media is found by")));
        }
        Self { items: json!(items).to_string(), media_id, owner_id: user.id.clone() }
    }

    /// The items of a copy.
    pub(crate) fn copy(&self, copied: &Copied) -> Vec<Value> {
        let id = copied.id.to_string();
        let text = self
            .items
            .replace(&self.media_id, &id)
            .replace(&self.owner_id, &copied.owner_id)
            .replace(WORD, &copied.word)
            .replace(TAG, &copied.tag);
        let mut items: Vec<Value> = serde_json::from_str(&text).unwrap();
        let visibility = if copied.is_private { "private" } else { "members" };
        let is_ready = copied.status == "ready";
        let listing = if is_ready && !copied.is_private { "LISTED" } else { "UNLISTED" };
        for item in &mut items {
            match item["PK"]["S"].as_str().unwrap().split('#').next().unwrap() {
                "MEDIA" => {
                    item["GSI1PK"] = json!({"S": format!("{listing}#{}", copied.id.as_bytes()[15] % 4)});
                    item["status"] = json!({"S": copied.status});
                    item["kind"] = json!({"S": copied.kind});
                    item["visibility"] = json!({"S": visibility});
                    item["failure"] =
                        json!({"M": {"code": {"S": "failed_for_tests"}, "detail": {"S": "Failed."}}});
                }
                "WORD" => {
                    let word: String = item["SK"]["S"].as_str().unwrap().chars().take(2).collect();
                    item["PK"] = json!({"S": format!("WORD#{word}")});
                    item["visibility"] = json!({"S": visibility});
                }
                _ => {}
            }
        }
        // Words and tags are those of ready media.
        items.truncate(if is_ready { items.len() } else { 1 });
        items
    }

    /// Puts copies into the table.
    pub(crate) fn plant(&self, platform: &Platform, copies: &[Copied]) {
        let items = copies.iter().flat_map(|copied| self.copy(copied)).collect();
        platform.aws().import_items(&platform.stack.stack().tables[0].name, items).unwrap();
    }
}

/// An id made so long ago.
pub(crate) fn id_made_before(age: Duration) -> Uuid {
    let made = (SystemTime::now() - age).duration_since(UNIX_EPOCH).unwrap();
    Uuid::new_v7(Timestamp::from_unix(NoContext, made.as_secs(), made.subsec_nanos()))
}

/// An item in DynamoDB's JSON.
pub(crate) fn to_json(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), value_to_json(value))).collect()
}

fn value_to_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(number) => json!({"N": number}),
        AttributeValue::Bool(is_true) => json!({"BOOL": is_true}),
        AttributeValue::Null(is_null) => json!({"NULL": is_null}),
        AttributeValue::L(values) => json!({"L": values.iter().map(value_to_json).collect::<Vec<_>>()}),
        AttributeValue::M(values) => json!({"M": to_json(values)}),
        other => panic!("what is {other:?}?"),
    }
}
