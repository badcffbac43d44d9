//! The routes under `/u/{upload_token}`, as the OpenAPI document has them: those under `/s3`, for whom the path tells who
//! asks.

use utoipa::Modify;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{OpenApi, PathItem, RefOr, Required};

use crate::WITH_UPLOAD_TOKEN;

const UPLOAD_TOKEN: &str = "eyJ0eXAiOiJ1cGxvYWQrand0In0.eyJzdWIiOiIwMWExZjdmOCJ9.c2lnbmF0dXJl";

/// Adds them.
pub(crate) struct AgainWithUploadToken;

impl Modify for AgainWithUploadToken {
    fn modify(&self, document: &mut OpenApi) {
        let paths = &mut document.paths.paths;
        let again: Vec<(String, PathItem)> = paths
            .iter()
            .map(|(path, item)| (format!("{WITH_UPLOAD_TOKEN}{path}"), with_upload_token(item.clone())))
            .collect();
        paths.extend(again);
    }
}

fn with_upload_token(mut item: PathItem) -> PathItem {
    for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
        let schema = ObjectBuilder::new().schema_type(Type::String).examples([UPLOAD_TOKEN]);
        let parameter = ParameterBuilder::new()
            .name("upload_token")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("What `POST /upload-tokens` answered."))
            .schema(Some(schema));
        operation.parameters.get_or_insert_default().insert(0, RefOr::T(parameter.build()));
        never_without_token(operation);
    }
    item
}

/// Without a token, there is no such path.
fn never_without_token(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        let codes = response.extensions.as_mut().and_then(|extensions| extensions.get_mut("x-problem-codes"));
        if let Some(codes) = codes.and_then(|codes| codes.as_array_mut()) {
            codes.retain(|code| code != "token_missing");
        }
    }
}
