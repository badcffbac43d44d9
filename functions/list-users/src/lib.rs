//! `GET /users`: all accounts, the newest first, page by page.

use std::sync::Arc;

use api::body::UserBody;
use api::{
    Access, Answer, Environment, Function, List, Page, Problem, QueryParameters, Request, StartError,
    http_function,
};
use domain::{Action, UserId, decide};
use table::Table;
use utoipa::OpenApi;

const CANONICAL: &str = "GET /users";

struct State {
    table: Table,
    access: Access,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER` and `ACCESS_JWKS`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State { table: environment.table(&aws)?, access: Access::of(&environment)? };
    Ok(http_function(state, handle))
}

/// Lists the accounts.
#[utoipa::path(
    get,
    path = "/users",
    tag = "users",
    params(
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 100, description = "20 by default."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses(
        (status = 200, body = List<UserBody>),
        (status = 401, description = "`token_missing`, `token_invalid`, `token_expired`", body = api::ProblemBody),
        (status = 403, description = "`role_insufficient`", body = api::ProblemBody),
        (status = 422, description = "`invalid`", body = api::ProblemBody),
    )
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.caller(&request)?;
    Problem::unless_allowed(decide(&caller, Action::ManageUsers), "user")?;
    let mut parameters = QueryParameters::of_route(&request, CANONICAL);
    let page = Page::take(&mut parameters, "users");
    parameters.finish()?;
    let (users, has_more) = state.table.users(page.limit, page.after.map(UserId::new)).await?;
    let last = users.last().filter(|_| has_more);
    Answer::ok(&List {
        items: users.iter().map(UserBody::from).collect(),
        next_cursor: last.map(|user| page.cursor_after(user.id.uuid())),
    })
}
