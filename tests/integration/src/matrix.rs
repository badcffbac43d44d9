//! Who may do what: every route of the template, asked by everybody.
//!
//! Each request would succeed if its caller were allowed to make it: its body is valid, and what its path names is there
//! and is the caller's own or another's, fresh for each. Callers are accounts written into the table, with tokens from
//! [`Mint`], so that hundreds of them cost nothing.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::caching;
use crate::forms::form_of;
use crate::miniatures::{self, Image};
use crate::mint::{Fault, Mint};
use crate::platform::{File, PASSWORD, Platform, User, expect, expect_problem};
use crate::seed::{Copied, Seed, to_json};

crate::tests![everybody_may_do_what_the_matrix_says];

/// The status of each answer. One number in a column is all there is to say; two are for what is the caller's own, and
/// another's; four are for the caller's own media, open to members and private, and another's, open and private. A route
/// whose columns are left out is an alias of the one above.
///
/// Who asks: nobody; a viewer, an operator and an admin; an admin whose account is disabled by now; and one whose account
/// is a viewer's by now. The tokens of the last two say admin, which is believed on what only reads.
const MATRIX: &str = "
ROUTE                                  | NOBODY | VIEWER          | OPERATOR        | ADMIN           | DISABLED        | DEMOTED

POST /auth/signup                      | 201    | 201             | 201             | 201             | 201             | 201
POST /auth/register
POST /auth/login                       | 200    | 200             | 200             | 200             | 200             | 200
POST /auth/signin
POST /auth/token
POST /auth/refresh                     | 200    | 200             | 200             | 200             | 200             | 200
POST /auth/logout                      | 204    | 204             | 204             | 204             | 204             | 204
GET /.well-known/jwks.json             | 200    | 200             | 200             | 200             | 200             | 200

GET /users/me                          | 401    | 200             | 200             | 200             | 403             | 200
POST /users/me/password                | 401    | 204             | 204             | 204             | 403             | 204
GET /users                             | 401    | 403             | 403             | 200             | 200             | 200
POST /users                            | 401    | 403             | 403             | 201             | 403             | 403
GET /users/{user_id}                   | 401    | 403             | 403             | 200             | 200             | 200
PATCH /users/{user_id}                 | 401    | 403             | 403             | 200             | 403             | 403
DELETE /users/{user_id}                | 401    | 403             | 403             | 204             | 403             | 403
POST /users/{user_id}/password         | 401    | 403             | 403             | 204             | 403             | 403

POST /media                            | 401    | 403             | 201             | 201             | 403             | 403
POST /content
GET /media                             | 401    | 200             | 200             | 200             | 200             | 200
GET /content
GET /search                            | 401    | 200             | 200             | 200             | 200             | 200
GET /media/{media_id}                  | 401    | 200 200 200 404 | 200 200 200 404 | 200 200 200 200 | 200 200 200 200 | 200 200 200 200
GET /content/{media_id}
PATCH /media/{media_id}                | 401    | 403 403 403 404 | 200 200 403 404 | 200 200 200 200 | 403 403 403 403 | 403 403 403 404
PATCH /content/{media_id}
PUT /content/{media_id}
DELETE /media/{media_id}               | 401    | 403 403 403 404 | 204 204 403 404 | 204 204 204 204 | 403 403 403 403 | 403 403 403 404
DELETE /content/{media_id}
DELETE /api/v1/s3-media/{media_id}     | 401    | 403 403 403 404 | 200 200 403 404 | 200 200 200 200 | 403 403 403 403 | 403 403 403 404
GET /media/{media_id}/jobs             | 401    | 200 200 403 404 | 200 200 403 404 | 200 200 200 200 | 200 200 200 200 | 200 200 200 200
POST /media/{media_id}/view            | 401    | 202 202 202 404 | 202 202 202 404 | 202 202 202 202 | 403 403 403 403 | 202 202 202 404
GET /media/{media_id}/analytics        | 401    | 200 200 403 404 | 200 200 403 404 | 200 200 200 200 | 200 200 200 200 | 200 200 200 200
GET /media/{media_id}/stream-url       | 401    | 200 200 200 404 | 200 200 200 404 | 200 200 200 200 | 200 200 200 200 | 200 200 200 200
GET /api/v1/s3-media/{media_id}
GET /media/stream/{media_id}           | 401    | 302 302 302 404 | 302 302 302 404 | 302 302 302 302 | 302 302 302 302 | 302 302 302 302
HEAD /media/stream/{media_id}
GET /content/{media_id}/stream
GET /media/{media_id}/thumbnail/{key}  | 302    | 302 302 302 302 | 302 302 302 302 | 302 302 302 302 | 302 302 302 302 | 302 302 302 302
HEAD /media/{media_id}/thumbnail/{key}

POST /api/v1/s3-media/upload           | 401    | 403             | 201             | 201             | 403             | 403
POST /api/v1/bulk-upload               | 401    | 403             | 200             | 200             | 403             | 403
GET /api/v1/{upload_id}/part/{num}     | 401    | 403 404         | 200 404         | 200 404         | 403 403         | 403 404
POST /api/v1/{upload_id}/parts
GET /api/v1/{upload_id}/parts
POST /api/v1/{upload_id}/complete
DELETE /api/v1/{upload_id}             | 401    | 403 404         | 204 404         | 204 404         | 403 403         | 403 404

POST /upload-tokens                    | 401    | 403             | 201             | 201             | 403             | 403
GET /s3/params                         | 401    | 403             | 200             | 200             | 403             | 403
POST /s3/multipart
GET /u/{upload_token}/s3/params
POST /u/{upload_token}/s3/multipart
GET /s3/multipart/{upload_id}          | 401    | 403 404         | 200 404         | 200 404         | 403 403         | 403 404
GET /s3/multipart/{upload_id}/{part_number}
POST /s3/multipart/{upload_id}/complete
DELETE /s3/multipart/{upload_id}
GET /u/{upload_token}/s3/multipart/{upload_id}
GET /u/{upload_token}/s3/multipart/{upload_id}/{part_number}
POST /u/{upload_token}/s3/multipart/{upload_id}/complete
DELETE /u/{upload_token}/s3/multipart/{upload_id}

GET /health                            | 200    | 200             | 200             | 200             | 200             | 200
GET /api/v1/s3-media/health/s3         | 200    | 200             | 200             | 200             | 200             | 200
GET /ping                              | 200    | 200             | 200             | 200             | 200             | 200
GET /api/v1/ping
GET /version                           | 200    | 200             | 200             | 200             | 200             | 200
GET /openapi.json                      | 200    | 200             | 200             | 200             | 200             | 200
GET /docs
GET /redoc
GET /docs/{file}
GET /console                           | 200    | 200             | 200             | 200             | 200             | 200
GET /console/{file}
$default                               | 404    | 404             | 404             | 404             | 404             | 404
";

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Nobody,
    Viewer,
    Operator,
    Admin,
    Disabled,
    Demoted,
    /// An admin whose token has this fault.
    With(Fault),
}

impl Caller {
    /// In the order of the columns.
    const COLUMNS: [Self; 6] =
        [Self::Nobody, Self::Viewer, Self::Operator, Self::Admin, Self::Disabled, Self::Demoted];

    /// What their token says.
    fn token_role(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            _ => "admin",
        }
    }

    /// What their account says.
    fn account_role(self) -> &'static str {
        if self == Self::Demoted { "viewer" } else { self.token_role() }
    }

    /// The code of the problem with this status, on this route.
    fn problem_code(self, status: StatusCode, route: &str) -> &'static str {
        match (status, self) {
            (StatusCode::UNAUTHORIZED, Self::With(fault)) => fault.problem_code(),
            (StatusCode::UNAUTHORIZED, _) if route.contains("{upload_token}") => "token_invalid",
            (StatusCode::UNAUTHORIZED, _) => "token_missing",
            (StatusCode::FORBIDDEN, Self::Disabled) => "account_disabled",
            (StatusCode::FORBIDDEN, _) => "role_insufficient",
            _ => "not_found",
        }
    }
}

/// One request, and the status of its answer.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    route: &'a str,
    caller: Caller,
    is_own: bool,
    is_private: bool,
    expected: StatusCode,
}

/// The rows of the matrix: a route and its columns.
fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut rows: Vec<(&str, Vec<&str>)> = Vec::new();
    let lines = MATRIX.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("ROUTE"));
    for line in lines {
        let mut cells = line.split('|').map(str::trim);
        let route = cells.next().unwrap();
        let mut columns: Vec<&str> = cells.collect();
        if columns.is_empty() {
            columns.clone_from(&rows.last().expect("the route of this alias").1);
        }
        assert_eq!(columns.len(), Caller::COLUMNS.len(), "{route}");
        rows.push((route, columns));
    }
    rows
}

/// The routes of the matrix, and with them of the template.
pub(crate) fn routes() -> impl Iterator<Item = &'static str> {
    rows().into_iter().map(|(route, _)| route)
}

/// How many things of different owners and visibilities a path can name.
fn settings_of(route: &str) -> &'static [(bool, bool)] {
    const ALL: [(bool, bool); 4] = [(true, false), (true, true), (false, false), (false, true)];
    if route.contains("{media_id}") {
        &ALL
    } else if route.contains("{user_id}") || route.contains("{upload_id}") {
        &[(true, false), (false, false)]
    } else {
        &[(true, false)]
    }
}

fn cases_of(route: &'static str, columns: &[&'static str]) -> Vec<Case<'static>> {
    let mut cases = Vec::new();
    let settings = settings_of(route);
    for (caller, column) in Caller::COLUMNS.into_iter().zip(columns) {
        let statuses: Vec<StatusCode> =
            column.split_whitespace().map(|status| status.parse().unwrap()).collect();
        assert!(statuses.len() == settings.len() || statuses.len() == 1, "{route}, {caller:?}: {column}");
        cases.extend(settings.iter().enumerate().map(|(number, &(is_own, is_private))| {
            let expected = *statuses.get(number).unwrap_or(&statuses[0]);
            Case { route, caller, is_own, is_private, expected }
        }));
    }
    let without = cases[0];
    let faults = Fault::EVERY.iter().map(|fault| Case { caller: Caller::With(*fault), ..without });
    // What needs no token passes over a bad one, whatever is wrong with it.
    let count = if without.expected == StatusCode::UNAUTHORIZED { Fault::EVERY.len() } else { 1 };
    cases.extend(faults.take(count));
    cases
}

/// Where the cases take place: a platform, and what is copied for each.
pub(crate) struct Stage {
    pub(crate) platform: Platform,
    mint: Mint,
    /// Of upload tokens.
    upload_mint: Mint,
    seed: Seed,
    thumbnail_key: String,
    /// Somebody who signed up, and their profile in DynamoDB's JSON.
    user: User,
    profile: Value,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let platform = Platform::start(|options| {
            options.parameters.insert("ReadyWaitSeconds".to_owned(), "0".to_owned());
        })
        .await;
        let user = platform.sign_up().await;
        let mint = Mint::open(&platform, &user).await;
        let answer = platform.post_as(&user, "/upload-tokens", &json!({})).await;
        let upload_token = expect(answer, StatusCode::CREATED).await;
        let upload_token = upload_token["upload_token"].as_str().unwrap();
        let upload_mint = Mint::of(&platform, upload_token, "CapabilityKeysSecret").await;
        let seed = seed_with_miniature(&platform, &user).await;
        let profile = platform.item(&format!("USER#{}", user.id), "PROFILE").await.unwrap();
        let record = &seed.copy(&Copied::of(Uuid::now_v7(), &user.id))[0];
        let thumbnail_key = record["miniature"]["M"]["key"]["S"].as_str().unwrap().to_owned();
        let stage =
            Self { mint, upload_mint, seed, thumbnail_key, profile: to_json(&profile), user, platform };
        // As many as may become none.
        stage.import(vec![json!({"PK": {"S": "ADMINS"}, "SK": {"S": "COUNT"}, "count": {"N": "1000000"}})]);
        stage
    }

    fn import(&self, items: Vec<Value>) {
        let table = &self.platform.stack.stack().tables[0].name;
        self.platform.aws().import_items(table, items).unwrap();
    }

    /// Writes an account, or what it has become.
    fn import_account(&self, id: &str, role: &str, is_disabled: bool) {
        let text =
            self.profile.to_string().replace(&self.user.id, id).replace(&self.user.email, &email_of(id));
        let mut profile: Value = serde_json::from_str(&text).unwrap();
        profile["role"] = json!({"S": role});
        profile["disabled"] = json!({"BOOL": is_disabled});
        self.import(vec![profile]);
    }

    /// A fresh operator.
    fn operator(&self) -> User {
        let id = Uuid::now_v7().to_string();
        self.import_account(&id, "operator", false);
        User { email: email_of(&id), token: self.mint.token(&id, "operator"), id }
    }

    /// What answers differently from what the matrix says.
    async fn play(&self, case: Case<'_>) -> Result<(), String> {
        // They were an operator when they got what is theirs.
        let caller = self.operator();
        let other = self.operator();
        let owner = if case.is_own { &caller } else { &other };
        let path = self.path(case, owner).await;
        self.import_account(&caller.id, case.caller.account_role(), case.caller == Caller::Disabled);
        let mint = self.mint_of(case.route);
        let token = match case.caller {
            Caller::Nobody => None,
            Caller::With(fault) => Some(mint.faulty(fault, &caller.id, "admin")),
            known => Some(mint.token(&caller.id, known.token_role())),
        };
        let request = self.request(case.route, &path, token.as_deref());
        let answer = self.with_body(case.route, request).await.send().await.unwrap();
        if answer.status() != case.expected {
            let status = answer.status();
            return Err(format!("{case:?}: {status}: {}", answer.text().await.unwrap()));
        }
        if let Some(objection) = caching::objection(case.route, &answer) {
            return Err(format!("{case:?}: caches are told {objection}"));
        }
        check_problem(case, answer).await;
        Ok(())
    }

    /// A request by an admin to what is their own, with what its route needs to succeed.
    pub(crate) async fn admins_request(&self, route: &'static str) -> reqwest::Request {
        let caller = self.operator();
        let case =
            Case { route, caller: Caller::Admin, is_own: true, is_private: false, expected: StatusCode::OK };
        let path = self.path(case, &caller).await;
        self.import_account(&caller.id, "admin", false);
        let token = self.mint_of(route).token(&caller.id, "admin");
        self.with_body(route, self.request(route, &path, Some(&token))).await.build().unwrap()
    }

    /// What makes the tokens that a route takes.
    fn mint_of(&self, route: &str) -> &Mint {
        if route.contains("{upload_token}") { &self.upload_mint } else { &self.mint }
    }

    /// A request with a token where its route has it: in the path, or in a header.
    fn request(&self, route: &str, path: &str, token: Option<&str>) -> RequestBuilder {
        let (method, _) = route.split_once(' ').unwrap_or(("GET", ""));
        let is_in_path = path.contains("{upload_token}");
        let path = path.replace("{upload_token}", token.unwrap_or("nobody"));
        let request = self.platform.request(method.parse().unwrap(), &path);
        match token.filter(|_| !is_in_path) {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The path of a request, and what it names.
    async fn path(&self, case: Case<'_>, owner: &User) -> String {
        let path = case.route.split_once(' ').map_or("/nowhere", |(_, path)| path);
        if path == "/search" {
            return "/search?title=film".to_owned();
        }
        if path.ends_with("/s3/params") {
            return format!("{path}?filename=film.mp4&type=video/mp4");
        }
        if path.contains("{media_id}") {
            let id = Uuid::now_v7();
            let media = Copied { is_private: case.is_private, ..Copied::of(id, &owner.id) };
            self.seed.plant(&self.platform, &[media]);
            return path.replace("{media_id}", &id.to_string()).replace("{key}", &self.thumbnail_key);
        }
        if path.contains("{upload_id}") {
            let path = path.replace("{upload_id}", &self.upload(owner).await);
            return path.replace("{num}", "1").replace("{part_number}", "1");
        }
        let file = if case.route.contains("/docs/") { "page.css" } else { "main.js" };
        let path = path.replace("{user_id}", &owner.id).replace("{file}", file);
        if case.route == "DELETE /users/{user_id}" { format!("{path}?media=delete") } else { path }
    }

    /// An upload whose only part is there.
    async fn upload(&self, owner: &User) -> String {
        let file = File::video();
        let created = crate::methods::announce_by(&self.platform, owner, &file, "multipart").await;
        let part = created["upload"]["parts"][0]["url"].as_str().unwrap();
        let sent = self.platform.http.put(part).body(file.bytes).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::OK);
        created["upload"]["upload_id"].as_str().unwrap().to_owned()
    }

    /// The request with what its route needs to succeed.
    async fn with_body(&self, route: &str, request: RequestBuilder) -> RequestBuilder {
        let fresh_email = email_of(&Uuid::now_v7().to_string());
        let credentials = json!({"email": self.user.email, "password": PASSWORD});
        let body = match route {
            "POST /auth/signup" | "POST /auth/register" | "POST /users" => {
                json!({"email": fresh_email, "password": PASSWORD})
            }
            "POST /auth/login" | "POST /auth/signin" | "POST /auth/token" => credentials,
            "POST /auth/refresh" | "POST /auth/logout" => {
                let tokens = self.platform.post("/auth/login", &credentials).await;
                let tokens = expect(tokens, StatusCode::OK).await;
                json!({"refresh_token": tokens["refresh_token"]})
            }
            "POST /users/me/password" => {
                json!({"current_password": PASSWORD, "new_password": "another horse battery staple"})
            }
            "PATCH /users/{user_id}" => json!({"display_name": "Grace"}),
            "POST /users/{user_id}/password" => json!({"password": "another horse battery staple"}),
            "POST /media" | "POST /content" => File::video().announcement(),
            "PATCH /media/{media_id}" | "PATCH /content/{media_id}" | "PUT /content/{media_id}" => {
                json!({"title": "Another"})
            }
            "POST /api/v1/s3-media/upload" => {
                return request.multipart(form_of(&File::video()).text("title", "A film"));
            }
            "POST /api/v1/bulk-upload" => json!({"files": [File::video().announcement()]}),
            "POST /api/v1/{upload_id}/parts" => json!({"part_numbers": [1]}),
            "POST /s3/multipart" | "POST /u/{upload_token}/s3/multipart" => {
                json!({"filename": "film.mp4", "type": "video/mp4"})
            }
            _ => return request,
        };
        request.json(&body)
    }
}

/// A media to be copied, with a miniature; its key is that of all copies.
async fn seed_with_miniature(platform: &Platform, user: &User) -> Seed {
    let image = Image::png();
    let mut announcement = Seed::announcement();
    announcement["miniature"] = image.announcement();
    let created = expect(platform.post_as(user, "/media", &announcement).await, StatusCode::CREATED).await;
    miniatures::send_image(platform, &created, &image).await;
    miniatures::miniature_ended(platform, &miniatures::id_of(&created)).await;
    Seed::grow(platform, user, &created).await
}

fn email_of(id: &str) -> String {
    format!("{id}@example.com")
}

/// A refusal says why, in the shape of every problem; of one to `HEAD` there is only the status.
async fn check_problem(case: Case<'_>, answer: Response) {
    let is_refused = case.expected.is_client_error() && !case.route.starts_with(Method::HEAD.as_str());
    if is_refused {
        let code = if case.route == "$default" {
            "route_unknown"
        } else {
            case.caller.problem_code(case.expected, case.route)
        };
        expect_problem(answer, case.expected, code).await;
    }
}

async fn everybody_may_do_what_the_matrix_says(_shared: &Platform) {
    /// How many requests are on their way at a time.
    const CONCURRENCY: usize = 16;
    let stage = Stage::set().await;
    let rows = rows();
    let listed: BTreeSet<String> = rows.iter().map(|(route, _)| (*route).to_owned()).collect();
    let declared: BTreeSet<String> = stage
        .platform
        .stack
        .stack()
        .routes
        .iter()
        .map(|route| match &route.method {
            Some(method) => format!("{method} {}", route.path),
            None => route.path.clone(),
        })
        .collect();
    assert_eq!(listed, declared, "the matrix has a row for every route of the template, and for no other");
    assert_eq!(listed.len(), rows.len(), "one row for each");

    let cases: Vec<Case> = rows.iter().flat_map(|(route, columns)| cases_of(route, columns)).collect();
    assert!(cases.len() > 800, "{}", cases.len());
    let answers = stream::iter(cases).map(|case| stage.play(case)).buffer_unordered(CONCURRENCY);
    let differences: Vec<String> =
        answers.filter_map(|answer| std::future::ready(answer.err())).collect().await;
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    stage.platform.shut_down().await;
}
