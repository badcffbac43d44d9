//! The fields of a form, as S3 takes them: names whatever their case, `${filename}` replaced, and fields of the same
//! name joined by commas.

use super::form::Field;

/// Stands for the name of the file, in every field.
const FILENAME: &str = "${filename}";

/// The fields in front of the file.
#[derive(Debug)]
pub(super) struct Fields(Vec<Field>);

impl Fields {
    /// From what was sent. A file without any name leaves the variable as it is.
    pub(super) fn new(sent: Vec<Field>, filename: Option<&str>) -> Fields {
        let filename = filename.map(base_name);
        let mut fields: Vec<Field> = Vec::with_capacity(sent.len());
        for Field { name, value } in sent {
            let value = match filename {
                Some(filename) => value.replace(FILENAME, filename),
                None => value,
            };
            match fields.iter_mut().find(|field| field.name.eq_ignore_ascii_case(&name)) {
                Some(field) => field.value.extend([",", &value]),
                None => fields.push(Field { name, value }),
            }
        }
        Fields(fields)
    }

    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(sent, _)| sent.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The names, as they were sent.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Names, as they were sent, and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }
}

/// The name of a file without its directories, whichever system's they are.
fn base_name(filename: &str) -> &str {
    filename.rsplit(['/', '\\']).next().unwrap_or(filename)
}

#[cfg(test)]
mod tests {
    use super::{Field, Fields};

    fn key(key: &str, filename: Option<&str>) -> String {
        let fields = Fields::new(vec![Field { name: "Key".to_owned(), value: key.to_owned() }], filename);
        fields.get("key").unwrap_or_default().to_owned()
    }

    #[test]
    fn the_filename_is_the_last_part_of_a_path() {
        assert_eq!(key("a/${filename}/${filename}", Some("b.mp4")), "a/b.mp4/b.mp4");
        assert_eq!(key("a/${filename}", Some("C:\\Program Files\\b.mp4")), "a/b.mp4");
        assert_eq!(key("a/${filename}", Some("/home/c/b.mp4")), "a/b.mp4");
        assert_eq!(key("a/${filename}", Some("")), "a/");
        assert_eq!(key("a/${filename}", None), "a/${filename}");
        assert_eq!(key("a/${Filename}", Some("b")), "a/${Filename}");
    }

    #[test]
    fn fields_of_the_same_name_are_joined() {
        let field = |name: &str, value: &str| Field { name: name.to_owned(), value: value.to_owned() };
        let fields =
            Fields::new(vec![field("x-amz-meta-tag", "Ninja"), field("X-Amz-Meta-Tag", "Stallman")], None);
        assert_eq!(fields.get("x-amz-meta-TAG"), Some("Ninja,Stallman"));
        assert_eq!(fields.names().collect::<Vec<_>>(), ["x-amz-meta-tag"]);
    }
}
