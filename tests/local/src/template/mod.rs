//! From the text of `template.yaml` to a [`Stack`].
//!
//! The template is the single source of what runs: every section, resource type, property and intrinsic function is
//! either interpreted as CloudFormation and SAM do, or known to make no difference on one machine, or an error that
//! names logical id and path. Nothing is skipped in silence.
//!
//! Custom resources are the one thing that cannot be known by reading: [`Template::resolve`] answers what does not
//! depend on them, and which of them can be provisioned next; call it again with their answers until none is pending.

mod error;
mod evaluate;
mod globals;
mod names;
mod parameters;
mod properties;
mod provisioned;
mod references;
mod resources;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value};

pub use self::error::{Problem, TemplateError};
pub use self::provisioned::{PendingResource, Provisioned, ProvisionedResource};
pub use self::yaml::parse;

use self::evaluate::Scope;
use self::names::{Names, is_custom};
use self::properties::Properties;
use self::references::Graph;
use crate::stack::Stack;

/// What the template itself does not say.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account_id: String,
    /// Where the HTTP API is served: its `ApiEndpoint`.
    pub api_url: String,
    /// What `Ref` of the HTTP API answers.
    pub api_id: String,
    /// Where the CloudFront distribution is served: its `DomainName`, here with a port.
    pub cdn_domain_name: String,
    /// Values of template parameters instead of their defaults.
    pub parameters: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stack_name: "media-platform".to_owned(),
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            api_url: "http://127.0.0.1:3000".to_owned(),
            api_id: "local".to_owned(),
            cdn_domain_name: "127.0.0.1:3001".to_owned(),
            parameters: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// `AWS::StackId`.
    pub fn stack_id(&self) -> String {
        format!(
            "arn:aws:cloudformation:{}:{}:stack/{}/00000000-0000-0000-0000-000000000000",
            self.region, self.account_id, self.stack_name
        )
    }
}

/// Reads a template's file into a tree in which intrinsic functions have their long form.
pub fn read(path: &Path) -> Result<Value, TemplateError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| TemplateError::Read { path: path.to_owned(), source })?;
    parse(&text)
}

/// A template with its parameters and conditions decided; resources are evaluated by [`Template::resolve`].
#[derive(Debug)]
pub struct Template {
    settings: Settings,
    parameters: BTreeMap<String, Value>,
    conditions: BTreeMap<String, bool>,
    resources: BTreeMap<String, Resource>,
    /// Resources whose condition is false, with that condition.
    absent: BTreeMap<String, String>,
    outputs: Value,
    /// What each resource refers to anywhere, events of functions included.
    references: Graph,
}

#[derive(Debug)]
struct Resource {
    resource_type: String,
    properties: Value,
    metadata: Value,
}

/// What can be said with the custom resources provisioned so far.
#[derive(Debug)]
pub struct Resolution {
    /// Everything that does not depend on a custom resource that is still to be provisioned.
    pub stack: Stack,
    /// Custom resources that can be provisioned now; empty when the stack is complete.
    pub pending: Vec<PendingResource>,
}

const SECTIONS: &[&str] = &["Transform", "Parameters", "Conditions", "Globals", "Resources", "Outputs"];
const IRRELEVANT_SECTIONS: &[&str] = &["AWSTemplateFormatVersion", "Description", "Metadata"];
const RESOURCE_KEYS: &[&str] = &["Type", "Properties", "Condition", "DependsOn", "Metadata"];
/// What happens to data when a stack is updated or deleted; a local stack is neither.
const IRRELEVANT_RESOURCE_KEYS: &[&str] = &["DeletionPolicy", "UpdateReplacePolicy"];
const SERVERLESS: &str = "AWS::Serverless-2016-10-31";

impl Template {
    /// Checks a template's structure, parameters and conditions, and that nothing depends on itself.
    pub fn new(tree: &Value, settings: Settings) -> Result<Self, TemplateError> {
        let sections = Properties::new(tree, "template", SECTIONS, IRRELEVANT_SECTIONS)?;
        sections.only("Transform", SERVERLESS)?;
        let empty = Map::new();
        let section = |name| match sections.get(name) {
            None => Ok(&empty),
            Some(Value::Object(entries)) => Ok(entries),
            Some(other) => Err(TemplateError::expected(name, "a mapping", other)),
        };
        let parameters = parameters::resolve(section("Parameters")?, &settings.parameters)?;
        let mut template = Self {
            settings,
            parameters,
            conditions: BTreeMap::new(),
            resources: BTreeMap::new(),
            absent: BTreeMap::new(),
            outputs: sections.get("Outputs").cloned().unwrap_or_default(),
            references: Graph::new(),
        };
        template.conditions = {
            let scope = Names { template: &template, provisioned: &Provisioned::new() };
            evaluate::conditions(section("Conditions")?, &scope)?
        };
        let globals = sections.get("Globals").unwrap_or(&Value::Null);
        let mut depends_on = BTreeMap::new();
        for (logical_id, declaration) in section("Resources")? {
            let needs = template.declare(logical_id, declaration, globals)?;
            depends_on.insert(logical_id.clone(), needs);
        }
        template.relate(&depends_on)?;
        Ok(template)
    }

    /// Takes in one resource; answers its `DependsOn`.
    fn declare(
        &mut self,
        logical_id: &str,
        declaration: &Value,
        globals: &Value,
    ) -> Result<Vec<String>, TemplateError> {
        let keys = Properties::new(declaration, logical_id, RESOURCE_KEYS, IRRELEVANT_RESOURCE_KEYS)?;
        let resource_type = keys.required_string("Type")?;
        if let Some(condition) = keys.string("Condition")? {
            let place = keys.place_of("Condition");
            let exists =
                Names { template: self, provisioned: &Provisioned::new() }.condition(&condition, &place)?;
            if !exists {
                self.absent.insert(logical_id.to_owned(), condition);
                return Ok(Vec::new());
            }
        }
        let depends_on = match keys.get("DependsOn") {
            Some(Value::String(name)) => vec![name.clone()],
            _ => keys.strings("DependsOn")?,
        };
        let place = keys.place_of("Properties");
        let own = keys.get("Properties").unwrap_or(&Value::Null);
        let properties = match globals::of_type(globals, &resource_type)? {
            Some(global) => globals::merge(global, own, &place)?,
            None => own.clone(),
        };
        let metadata = keys.get("Metadata").cloned().unwrap_or_default();
        self.resources.insert(logical_id.to_owned(), Resource { resource_type, properties, metadata });
        Ok(depends_on)
    }

    /// Draws the graph of references and refuses circles.
    fn relate(&mut self, depends_on: &BTreeMap<String, Vec<String>>) -> Result<(), TemplateError> {
        let mut deployed = Graph::new();
        for (logical_id, resource) in &self.resources {
            let place = format!("{logical_id}.Properties");
            let mut needs = BTreeSet::new();
            for name in depends_on.get(logical_id).into_iter().flatten() {
                if !self.resources.contains_key(name) && !self.absent.contains_key(name) {
                    return Err(TemplateError::at(
                        format!("{logical_id}.DependsOn"),
                        Problem::UnresolvedReference(name.clone()),
                    ));
                }
                needs.insert(name.clone());
            }
            // SAM makes resources of their own from a function's events, so these may refer back to what the function
            // is part of.
            let mut everything = needs.clone();
            references::collect(&resource.properties, &self.conditions, &place, &mut everything)?;
            for (key, value) in resource.properties.as_object().into_iter().flatten() {
                if resource.resource_type != "AWS::Serverless::Function" || key != "Events" {
                    references::collect(value, &self.conditions, &format!("{place}.{key}"), &mut needs)?;
                }
            }
            deployed.entry(logical_id.clone()).or_default().extend(self.existing(needs));
            let everything = self.existing(everything);
            self.references.insert(logical_id.clone(), everything);
        }
        // The API's definition holds the ARN of each function that serves a route.
        for (logical_id, resource) in &self.resources {
            for api in resources::apis_of(resource) {
                if let Some(needs) = deployed.get_mut(&api) {
                    needs.insert(logical_id.clone());
                }
            }
        }
        references::refuse_circles(&deployed)
    }

    /// The resources among these names; the role that SAM makes for a function counts as the function.
    fn existing(&self, names: BTreeSet<String>) -> BTreeSet<String> {
        names
            .into_iter()
            .filter_map(|name| {
                if self.resources.contains_key(&name) {
                    return Some(name);
                }
                self.function_of_role(&name).map(str::to_owned)
            })
            .collect()
    }

    /// The function whose execution role SAM makes under this logical id.
    fn function_of_role<'a>(&self, role: &'a str) -> Option<&'a str> {
        let function = role.strip_suffix("Role")?;
        let resource = self.resources.get(function)?;
        let implicit = resource.resource_type == "AWS::Serverless::Function"
            && resource.properties.get("Role").is_none();
        implicit.then_some(function)
    }

    fn type_of(&self, logical_id: &str) -> Option<&str> {
        match self.resources.get(logical_id) {
            Some(resource) => Some(&resource.resource_type),
            None => self.function_of_role(logical_id).map(|_| "AWS::IAM::Role"),
        }
    }

    /// Evaluates every resource that does not depend on a custom resource missing from `provisioned`.
    pub fn resolve(&self, provisioned: &Provisioned) -> Result<Resolution, TemplateError> {
        let missing: BTreeSet<String> = self
            .resources
            .iter()
            .filter(|(id, resource)| is_custom(&resource.resource_type) && !provisioned.contains_key(*id))
            .map(|(id, _)| id.clone())
            .collect();
        let waiting = references::dependants(&self.references, &missing);
        let names = Names { template: self, provisioned };
        let mut stack = resources::build(&names, &waiting)?;
        let mut pending = Vec::new();
        for logical_id in &missing {
            let needs = self.references.get(logical_id);
            if needs.is_none_or(|needs| needs.is_disjoint(&waiting)) {
                pending.push(resources::pending(&names, logical_id)?);
            }
        }
        if missing.is_empty() {
            stack.outputs = resources::outputs(&names, &self.outputs)?;
        } else if pending.is_empty() {
            let circle = missing.into_iter().collect();
            return Err(TemplateError::at("Resources", Problem::Circular(circle)));
        }
        Ok(Resolution { stack, pending })
    }

    /// Whether there is a CloudFront distribution, its condition being true.
    pub fn has_distribution(&self) -> bool {
        self.resources.values().any(|resource| resource.resource_type == "AWS::CloudFront::Distribution")
    }

    /// Says where the distribution is served, which is known only once its port is taken.
    pub fn set_cdn_domain_name(&mut self, domain_name: String) {
        self.settings.cdn_domain_name = domain_name;
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
