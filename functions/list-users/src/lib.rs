//! `GET /users`: all accounts, the newest first, page by page.

use std::sync::Arc;

use api::body::UserBody;
use api::refusals::{AccessToken, Aws, Parameters, Refused, RoleInsufficient};
use api::{
    Access, Answer, Environment, Function, List, Page, PageParameters, Problem, QueryParameters, Request,
    StartError, http_function,
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
    params(PageParameters),
    responses(
        (status = 200, description = "A page of accounts.", body = List<UserBody>),
        Refused<(AccessToken, RoleInsufficient, Parameters, Aws)>,
    ),
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
