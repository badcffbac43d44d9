//! `AWS::Serverless::HttpApi`: routes and CORS.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::Evaluated;
use crate::stack::{ApiCors, Route};
use crate::template::Resource;
use crate::template::error::{Problem, TemplateError};
use crate::template::names::Names;
use crate::template::properties::Properties;

const HONOURED: &[&str] = &["CorsConfiguration", "StageName", "DefaultRouteSettings"];
/// Names and records.
const IRRELEVANT: &[&str] =
    &["AccessLogSettings", "Description", "FailOnWarnings", "Name", "PropagateTags", "Tags"];
/// Records, and the throttling of all routes together, which protects an account that one machine does not have. (What one
/// route is limited to in `RouteSettings` is part of what the API does, and refused.)
const IRRELEVANT_ROUTE_SETTINGS: &[&str] =
    &["DetailedMetricsEnabled", "ThrottlingBurstLimit", "ThrottlingRateLimit"];

/// The longest that API Gateway waits for an integration.
const INTEGRATION_TIMEOUT_MILLISECONDS: u64 = 30_000;

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"];

/// The APIs that a function's events name.
pub(in crate::template) fn apis_of(resource: &Resource) -> Vec<String> {
    let events = resource.properties.get("Events").and_then(Value::as_object);
    events
        .into_iter()
        .flat_map(serde_json::Map::values)
        .filter(|event| event.get("Type").and_then(Value::as_str) == Some("HttpApi"))
        .filter_map(|event| event.pointer("/Properties/ApiId/Ref").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

pub(super) fn route(
    names: &Names,
    function: &str,
    declared: &Value,
    place: &str,
) -> Result<Route, TemplateError> {
    let event = Properties::new(
        declared,
        place,
        &["ApiId", "Path", "Method", "PayloadFormatVersion", "TimeoutInMillis"],
        &[],
    )?;
    event.only("PayloadFormatVersion", "2.0")?;
    if event.required_string("ApiId")? != names.template.settings.api_id {
        return Err(TemplateError::invalid(
            event.place_of("ApiId"),
            "must be a !Ref of the template's HTTP API",
        ));
    }
    let method = event.string("Method")?.map(|method| method.to_ascii_uppercase());
    let (method, path) = match (event.string("Path")?, method) {
        (None, None) => (None, "$default".to_owned()),
        (Some(path), method)
            if path == "$default" && method.as_deref().is_none_or(|method| method == "ANY") =>
        {
            (None, path)
        }
        (Some(path), Some(method)) => {
            if !METHODS.contains(&method.as_str()) {
                return Err(TemplateError::invalid(
                    event.place_of("Method"),
                    format!("unknown method {method}"),
                ));
            }
            check_path(&path, &event.place_of("Path"))?;
            (Some(method), path)
        }
        (None, Some(_)) => return Err(TemplateError::at(place, Problem::Missing("Path"))),
        (Some(_), None) => return Err(TemplateError::at(place, Problem::Missing("Method"))),
    };
    let timeout = event.integer("TimeoutInMillis")?.unwrap_or(INTEGRATION_TIMEOUT_MILLISECONDS);
    if !(50..=INTEGRATION_TIMEOUT_MILLISECONDS).contains(&timeout) {
        return Err(TemplateError::invalid(
            event.place_of("TimeoutInMillis"),
            "API Gateway takes 50–30000 milliseconds",
        ));
    }
    Ok(Route { method, path, function: function.to_owned(), timeout: Duration::from_millis(timeout) })
}

fn check_path(path: &str, place: &str) -> Result<(), TemplateError> {
    let invalid = |reason: &str| Err(TemplateError::invalid(place, format!("{path}: {reason}")));
    let Some(rest) = path.strip_prefix('/') else {
        return invalid("a path starts with /");
    };
    if rest.is_empty() {
        return Ok(());
    }
    if rest.ends_with('/') {
        return invalid("API Gateway has no route that ends in /; such requests reach $default");
    }
    let segments: Vec<&str> = rest.split('/').collect();
    let mut parameters = BTreeSet::new();
    for (index, segment) in segments.iter().enumerate() {
        if segment.is_empty() {
            return invalid("a segment is empty");
        }
        if !segment.contains(['{', '}']) {
            continue;
        }
        let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
            return invalid("a parameter is a whole segment, {name}");
        };
        let greedy = name.ends_with('+');
        let name = name.trim_end_matches('+');
        if name.is_empty() || name.contains(['{', '}', '+']) {
            return invalid("a parameter needs a name");
        }
        if greedy && index + 1 != segments.len() {
            return invalid("a greedy parameter must be the last segment");
        }
        if !parameters.insert(name) {
            return invalid("a parameter appears twice");
        }
    }
    Ok(())
}

/// No two routes may catch the same requests: parameter names make no difference.
pub(super) fn check_routes(routes: &[Route]) -> Result<(), TemplateError> {
    let mut seen = BTreeSet::new();
    for route in routes {
        let shape: Vec<&str> = route
            .path
            .split('/')
            .map(|segment| match segment.starts_with('{') {
                true if segment.ends_with("+}") => "{+}",
                true => "{}",
                false => segment,
            })
            .collect();
        if !seen.insert((route.method.clone(), shape.join("/"))) {
            let method = route.method.as_deref().unwrap_or_default();
            return Err(TemplateError::invalid(
                &route.function,
                format!("route {method} {} is declared twice", route.path).replace("  ", " "),
            ));
        }
    }
    Ok(())
}

pub(super) fn cors(names: &Names, evaluated: &Evaluated) -> Result<Option<ApiCors>, TemplateError> {
    let declared = names.template.resources.iter();
    let mut apis = declared.filter(|(_, resource)| resource.resource_type == "AWS::Serverless::HttpApi");
    if let (Some(_), Some((second, _))) = (apis.next(), apis.next()) {
        return Err(TemplateError::at(second, Problem::Unsupported("a second HTTP API".to_owned())));
    }
    let Some((logical_id, properties)) = evaluated.of_type("AWS::Serverless::HttpApi").next() else {
        return Ok(None);
    };
    let properties = Properties::new(properties, &format!("{logical_id}.Properties"), HONOURED, IRRELEVANT)?;
    properties.only("StageName", "$default")?;
    properties.child("DefaultRouteSettings", &[], IRRELEVANT_ROUTE_SETTINGS)?;
    if properties.get("CorsConfiguration").is_none() {
        return Ok(None);
    }
    let cors = properties.child(
        "CorsConfiguration",
        &["AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders", "MaxAge", "AllowCredentials"],
        &[],
    )?;
    let cors = ApiCors {
        allow_origins: cors.strings("AllowOrigins")?,
        allow_methods: cors.strings("AllowMethods")?,
        allow_headers: cors.strings("AllowHeaders")?,
        expose_headers: cors.strings("ExposeHeaders")?,
        max_age_seconds: cors.integer("MaxAge")?,
        allow_credentials: cors.boolean("AllowCredentials")?.unwrap_or(false),
    };
    if cors.allow_credentials && cors.allow_origins.iter().any(|origin| origin == "*") {
        return Err(TemplateError::invalid(
            properties.place_of("CorsConfiguration"),
            "AllowCredentials cannot be combined with AllowOrigins *",
        ));
    }
    Ok(Some(cors))
}
