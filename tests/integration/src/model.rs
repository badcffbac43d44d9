//! A long random series of announcements, uploads, edits and deletions by several users, against a model: what everybody's
//! lists and searches show is what a few lines of code say of titles, tags, visibility and ownership.

use std::cmp::Reverse;

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};

use crate::lists::pages;
use crate::platform::{File, PASSWORD, Platform, User, expect, expect_problem};

crate::tests![lists_and_searches_agree_with_a_model];

const STEPS: usize = 300;

/// Three operators, a viewer and an admin.
const USERS: usize = 5;
const VIEWER: usize = 3;
const ADMIN: usize = 4;

/// What titles are made of, and what is searched for: as it is typed, and folded.
const WORDS: [(&str, &str); 9] = [
    ("Sea", "sea"),
    ("seal", "seal"),
    ("SE", "se"),
    ("Été", "ete"),
    ("et", "et"),
    ("a", "a"),
    ("art", "art"),
    ("03", "03"),
    ("Мир", "мир"),
];

const TAGS: [&str; 4] = ["land", "sea", "Sea", "high seas"];

/// What one of the users does; they are numbers, as words and tags are.
#[derive(Clone, Debug)]
enum Step {
    Announce {
        user: usize,
        words: Vec<usize>,
        tags: Vec<usize>,
        is_private: bool,
    },
    /// The owner sends the file of a media that awaits it.
    Upload {
        media: Index,
    },
    Edit {
        user: usize,
        media: Index,
        edit: Edit,
    },
    Delete {
        user: usize,
        media: Index,
    },
    Look(Look),
}

/// What is left out stays.
#[derive(Clone, Debug)]
struct Edit {
    words: Option<Vec<usize>>,
    tags: Option<Vec<usize>>,
    is_private: Option<bool>,
}

/// A list or a search, in pages of this size.
#[derive(Clone, Debug)]
struct Look {
    user: usize,
    asked: Asked,
    limit: usize,
}

#[derive(Clone, Debug)]
enum Asked {
    List { owner: Option<usize>, tag: Option<usize>, is_ready: bool },
    Search { words: Vec<usize> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let words = || proptest::collection::vec(0..WORDS.len(), 1..4);
    let tags = || subsequence((0..TAGS.len()).collect::<Vec<_>>(), 0..3);
    let announce = (0..USERS, words(), tags(), any::<bool>())
        .prop_map(|(user, words, tags, is_private)| Step::Announce { user, words, tags, is_private });
    let edit = (prop::option::of(words()), prop::option::of(tags()), prop::option::of(any::<bool>()))
        .prop_map(|(words, tags, is_private)| Edit { words, tags, is_private });
    let edit =
        (0..USERS, any::<Index>(), edit).prop_map(|(user, media, edit)| Step::Edit { user, media, edit });
    let delete = (0..USERS, any::<Index>()).prop_map(|(user, media)| Step::Delete { user, media });
    let list = (prop::option::of(0..USERS), prop::option::of(0..TAGS.len()), any::<bool>())
        .prop_map(|(owner, tag, is_ready)| Asked::List { owner, tag, is_ready });
    let search = words().prop_map(|words| Asked::Search { words });
    let look = (0..USERS, prop_oneof![list, search], prop_oneof![1..5_usize, Just(100)])
        .prop_map(|(user, asked, limit)| Step::Look(Look { user, asked, limit }));
    let upload = any::<Index>().prop_map(|media| Step::Upload { media });
    let step = prop_oneof![3 => announce, 3 => upload, 6 => edit, 2 => delete, 8 => look];
    proptest::collection::vec(step, STEPS)
}

/// Where a media of the model stands.
#[derive(Clone, Debug, PartialEq)]
enum State {
    /// With the upload that its announcement answered.
    Awaited(Value),
    Ready,
    Deleted,
}

#[derive(Clone, Debug)]
struct Media {
    id: String,
    owner: usize,
    words: Vec<usize>,
    tags: Vec<usize>,
    is_private: bool,
    state: State,
}

impl Media {
    fn is_theirs(&self, user: usize) -> bool {
        user == self.owner || user == ADMIN
    }

    fn is_visible_to(&self, user: usize) -> bool {
        match self.state {
            State::Deleted => false,
            State::Ready => !self.is_private || self.is_theirs(user),
            State::Awaited(_) => self.is_theirs(user),
        }
    }

    fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// What a list shows of it.
    fn shown(&self) -> Value {
        let visibility = if self.is_private { "private" } else { "members" };
        json!([self.id, title_of(&self.words), tags_of(&self.tags), visibility])
    }

    /// Whether its title has a word that is this one, or begins with it.
    fn has(&self, term: &str) -> bool {
        let is_beginning = term.chars().count() >= 2;
        let mut words = self.words.iter().map(|word| WORDS[*word].1);
        words.any(|word| word == term || (is_beginning && word.starts_with(term)))
    }
}

fn title_of(words: &[usize]) -> String {
    words.iter().map(|word| WORDS[*word].0).collect::<Vec<_>>().join(" ")
}

fn tags_of(tags: &[usize]) -> Vec<&'static str> {
    tags.iter().map(|tag| TAGS[*tag]).collect()
}

/// What a caller is shown, in order.
fn expected(media: &[Media], look: &Look) -> Vec<Value> {
    let user = look.user;
    let visible = media.iter().filter(|media| media.is_visible_to(user));
    let mut found: Vec<&Media> = match &look.asked {
        Asked::List { owner, tag, is_ready } => visible
            .filter(|media| media.is_ready() || (!is_ready && *owner == Some(user)))
            .filter(|media| owner.is_none_or(|owner| media.owner == owner))
            .filter(|media| tag.is_none_or(|tag| media.tags.contains(&tag)))
            .collect(),
        Asked::Search { words } => visible
            .filter(|media| media.is_ready() && words.iter().all(|word| media.has(WORDS[*word].1)))
            .collect(),
    };
    found.sort_by_key(|media| Reverse(&media.id));
    if let Asked::Search { words } = &look.asked {
        // The longest word decides how well a title matches: as a word of it, or as the beginning of one.
        let terms = words.iter().map(|word| WORDS[*word].1);
        let longest = terms.min_by_key(|term| (Reverse(term.chars().count()), *term)).unwrap();
        found.sort_by_key(|media| !media.words.iter().any(|word| WORDS[*word].1 == longest));
    }
    found.into_iter().map(Media::shown).collect()
}

/// The platform, its users, and what the model knows.
struct World {
    platform: Platform,
    users: Vec<User>,
    media: Vec<Media>,
    file: File,
}

impl World {
    async fn begin() -> Self {
        let platform = Platform::start(|_| {}).await;
        let mut users = Vec::new();
        for _ in 0..VIEWER {
            users.push(platform.sign_up().await);
        }
        let admin = platform.admin().await;
        let email = "viewer@example.com".to_owned();
        let account = json!({"email": email, "password": PASSWORD, "role": "viewer"});
        let account = platform.post_as(&admin, "/users", &account).await;
        let id = expect(account, StatusCode::CREATED).await["id"].as_str().unwrap().to_owned();
        users.push(User { id, token: platform.log_in(&email).await, email });
        users.push(admin);
        Self { platform, users, media: Vec::new(), file: File::sample("v_aac.m4a") }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Announce { user, words, tags, is_private } => {
                self.announce(*user, words, tags, *is_private).await;
            }
            Step::Upload { media } => self.upload(*media).await,
            Step::Edit { user, media, edit } => self.edit(*user, *media, edit).await,
            Step::Delete { user, media } => self.delete(*user, *media).await,
            Step::Look(look) => self.look(look).await,
        }
    }

    async fn announce(&mut self, user: usize, words: &[usize], tags: &[usize], is_private: bool) {
        let mut body = self.file.announcement();
        body["title"] = json!(title_of(words));
        body["tags"] = json!(tags_of(tags));
        body["visibility"] = json!(if is_private { "private" } else { "members" });
        let answer = self.platform.post_as(&self.users[user], "/media", &body).await;
        if user == VIEWER {
            expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
            return;
        }
        let mut created = expect(answer, StatusCode::CREATED).await;
        self.media.push(Media {
            id: created["media"]["id"].as_str().unwrap().to_owned(),
            owner: user,
            words: words.to_vec(),
            tags: tags.to_vec(),
            is_private,
            state: State::Awaited(created["upload"].take()),
        });
    }

    async fn upload(&mut self, media: Index) {
        let mut awaited: Vec<&mut Media> =
            self.media.iter_mut().filter(|media| matches!(media.state, State::Awaited(_))).collect();
        if awaited.is_empty() {
            return;
        }
        let number = media.index(awaited.len());
        let media = &mut *awaited[number];
        let State::Awaited(upload) = &media.state else { return };
        let sent = self.platform.put(upload, self.file.bytes.clone()).await;
        assert_eq!(sent.status(), StatusCode::OK);
        let settled = self.platform.settled(&self.users[media.owner], &media.id).await;
        assert_eq!(settled["status"], "ready");
        media.state = State::Ready;
    }

    async fn edit(&mut self, user: usize, media: Index, edit: &Edit) {
        if self.media.is_empty() {
            return;
        }
        let number = media.index(self.media.len());
        let media = &mut self.media[number];
        let mut body = json!({});
        if let Some(words) = &edit.words {
            body["title"] = json!(title_of(words));
        }
        if let Some(tags) = &edit.tags {
            body["tags"] = json!(tags_of(tags));
        }
        if let Some(is_private) = edit.is_private {
            body["visibility"] = json!(if is_private { "private" } else { "members" });
        }
        let request = self.platform.request(Method::PATCH, &format!("/media/{}", media.id));
        let answer = request.bearer_auth(&self.users[user].token).json(&body).send().await.unwrap();
        if !media.is_visible_to(user) {
            expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
        } else if !media.is_theirs(user) {
            expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
        } else {
            let Edit { words, tags, is_private } = edit.clone();
            media.words = words.unwrap_or_else(|| media.words.clone());
            media.tags = tags.unwrap_or_else(|| media.tags.clone());
            media.is_private = is_private.unwrap_or(media.is_private);
            assert_eq!(summary(&expect(answer, StatusCode::OK).await), media.shown());
        }
    }

    async fn delete(&mut self, user: usize, media: Index) {
        if self.media.is_empty() {
            return;
        }
        let number = media.index(self.media.len());
        let media = &mut self.media[number];
        let request = self.platform.request(Method::DELETE, &format!("/media/{}", media.id));
        let answer = request.bearer_auth(&self.users[user].token).send().await.unwrap();
        if media.is_theirs(user) {
            // The second time too.
            assert_eq!(answer.status(), StatusCode::NO_CONTENT);
            media.state = State::Deleted;
        } else if media.is_visible_to(user) {
            expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
        } else {
            expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
        }
    }

    async fn look(&self, look: &Look) {
        let pages = pages(&self.platform, &self.users[look.user], &self.path_of(look)).await;
        assert!(pages.iter().all(|page| page.len() <= look.limit), "{look:?}");
        let mut shown: Vec<Value> = pages.iter().flatten().map(summary).collect();
        let mut expected = expected(&self.media, look);
        // A search is in order of its words from page to page, and from the newest on each.
        if matches!(look.asked, Asked::Search { .. }) && pages.len() > 1 {
            let id_of = |shown: &Value| shown[0].to_string();
            shown.sort_by_key(id_of);
            expected.sort_by_key(id_of);
        }
        assert_eq!(shown, expected, "{look:?}");
    }

    fn path_of(&self, look: &Look) -> String {
        let mut url = Url::parse("http://localhost").unwrap();
        let mut query = url.query_pairs_mut();
        query.append_pair("limit", &look.limit.to_string());
        let path = match &look.asked {
            Asked::List { owner, tag, is_ready } => {
                if let Some(owner) = owner {
                    let is_own = *owner == look.user;
                    query.append_pair("owner", if is_own { "me" } else { &self.users[*owner].id });
                }
                if let Some(tag) = tag {
                    query.append_pair("tag", TAGS[*tag]);
                }
                if *is_ready {
                    query.append_pair("status", "ready");
                }
                "/media"
            }
            Asked::Search { words } => {
                query.append_pair("title", &title_of(words));
                "/search"
            }
        };
        drop(query);
        format!("{path}?{}", url.query().unwrap())
    }

    /// Everybody's lists, and their searches for every word.
    async fn look_everywhere(&self) {
        let owners = || (0..USERS).map(Some).chain([None]);
        let lists = owners().flat_map(|owner| {
            let tags = (0..TAGS.len()).map(Some).chain([None]);
            tags.map(move |tag| Asked::List { owner, tag, is_ready: false })
        });
        let searches = (0..WORDS.len()).map(|word| Asked::Search { words: vec![word] });
        for asked in lists.chain(searches) {
            for user in 0..USERS {
                self.look(&Look { user, asked: asked.clone(), limit: 100 }).await;
            }
        }
    }
}

/// What an answer says of a media, as the model has it.
fn summary(media: &Value) -> Value {
    json!([media["id"], media["title"], media["tags"], media["visibility"]])
}

async fn lists_and_searches_agree_with_a_model(_shared: &Platform) {
    let steps = steps().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let mut world = World::begin().await;
    for step in &steps {
        world.take(step).await;
    }
    let count = |is_meant: fn(&Media) -> bool| world.media.iter().filter(|media| is_meant(media)).count();
    let ready = [
        count(|media| media.is_ready() && media.is_private),
        count(|media| media.is_ready() && !media.is_private),
    ];
    let deleted = count(|media| media.state == State::Deleted);
    assert!(
        ready.iter().all(|count| *count >= 5) && deleted >= 5,
        "too little: {ready:?}, {deleted} deleted"
    );
    world.look_everywhere().await;
    world.platform.shut_down().await;
}
