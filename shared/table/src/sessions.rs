//! Sessions, each one item with its refresh tokens in it.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{IssuedToken, REFRESH_TOKEN_GRACE, Session, SessionId, Timestamp, UserId};

use crate::Table;
use crate::error::{ChangeError, TableError};
use crate::item::to_item;
use crate::keys::Key;
use crate::transaction::send_write;

/// What [`Session::accepts`] says, of the session as it is when it is written.
const ACCEPTS: &str = "expires_at > :now_seconds AND attribute_exists(refresh_tokens.#used) \
                       AND (attribute_not_exists(refresh_tokens.#used.used_at) \
                       OR refresh_tokens.#used.used_at >= :grace_began)";

impl Table {
    /// The session with this id, unless it has expired.
    pub async fn session(
        &self,
        user_id: UserId,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Session>, TableError> {
        let session: Option<Session> = self.get_value(&Key::session(user_id, id)).await?;
        Ok(session.filter(|session| session.expires_at > now.unix_seconds()))
    }

    /// Keeps a session that begins.
    pub async fn put_session(&self, session: &Session) -> Result<(), TableError> {
        let item = to_item(&Key::session(session.user_id, session.id), Vec::new(), session)?;
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        send_write(|| put.clone().send()).await.map_err(|error| TableError::of("PutItem", &error))?;
        Ok(())
    }

    /// Uses one refresh token of a session and issues another, each by its SHA-256, if the session still accepts the one
    /// that is used. One conditional write, without a version: of many tabs that use one token at the same time each gets
    /// its own, and none has to try again.
    pub async fn rotate_refresh_token(
        &self,
        session: &Session,
        used_sha256: &str,
        issued_sha256: &str,
        now: Timestamp,
    ) -> Result<(), ChangeError> {
        let mut expression = String::from(
            "SET refresh_tokens.#used.used_at = if_not_exists(refresh_tokens.#used.used_at, :now), \
             refresh_tokens.#issued = :issued",
        );
        let forgotten: Vec<(String, &str)> = session
            .forgotten(used_sha256, now)
            .into_iter()
            .enumerate()
            .map(|(number, sha256)| (format!("#forgotten{number}"), sha256))
            .collect();
        if !forgotten.is_empty() {
            let paths: Vec<_> = forgotten.iter().map(|(name, _)| format!("refresh_tokens.{name}")).collect();
            expression = format!("{expression} REMOVE {}", paths.join(", "));
        }
        let text = |timestamp: Timestamp| AttributeValue::S(timestamp.to_string());
        let issued = IssuedToken::new(Some(used_sha256.to_owned()), now);
        let issued: AttributeValue = serde_dynamo::to_attribute_value(issued).map_err(TableError::from)?;
        let mut update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(Key::session(session.user_id, session.id).attributes()))
            .condition_expression(ACCEPTS)
            .expression_attribute_names("#used", used_sha256)
            .expression_attribute_names("#issued", issued_sha256)
            .expression_attribute_values(":now_seconds", AttributeValue::N(now.unix_seconds().to_string()))
            .expression_attribute_values(":now", text(now))
            .expression_attribute_values(":grace_began", text(now.minus(REFRESH_TOKEN_GRACE)))
            .expression_attribute_values(":issued", issued);
        for (name, sha256) in forgotten {
            update = update.expression_attribute_names(name, sha256);
        }
        let update = update.update_expression(expression);
        match send_write(|| update.clone().send()).await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Err(ChangeError::Outdated),
                _ => Err(TableError::of("UpdateItem", &error).into()),
            },
        }
    }

    /// Ends the session of this family of refresh tokens. One that is not there, or is another family's, has ended as far
    /// as its caller may know.
    pub async fn end_session(
        &self,
        user_id: UserId,
        id: SessionId,
        family_sha256: &str,
    ) -> Result<(), TableError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(Key::session(user_id, id).attributes()))
            .condition_expression("family_sha256 = :family")
            .expression_attribute_values(":family", AttributeValue::S(family_sha256.to_owned()));
        match send_write(|| delete.clone().send()).await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(TableError::of("DeleteItem", &error)),
            },
        }
    }
}
