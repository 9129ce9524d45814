//! The documentation as a page: what the document says, for people. Style is a file of ours, nothing runs, and nothing
//! comes from elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::Book;
use super::document::objects;
use super::operation::{Access, Body, Content, Group, Operation, Param};
use super::schema::{Field, Kind, Object};
use crate::html::escaped;
use crate::problem::Refusal;

/// What the page may do: be looked at.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How many words of a closed set stand in a table; the document has them all.
const WORDS_SHOWN: usize = 24;

/// The page of those operations; calls in examples go to `base`.
pub(super) fn page(book: Book, base: &str, operations: &[Operation]) -> String {
    let groups = grouped(operations);
    let objects = objects(book, operations);
    let mut body = head(book);
    for (group, operations) in &groups {
        let (name, says) = group.words();
        let _ = write!(body, "<section id=\"{name}\">\n<h2>{name}</h2>\n<p>{}</p>\n", prose(says));
        for operation in operations {
            body += &section(operation, base);
        }
        body += "</section>\n";
    }
    body += &forms(&objects);
    body += &refusals(operations);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"stylesheet\" href=\"docs/docs.css\">\n</head>\n\
         <body>\n{nav}<main>\n{body}</main>\n</body>\n</html>\n",
        title = book.title(),
        nav = nav(&groups),
    )
}

/// In the order in which groups are told.
fn grouped(operations: &[Operation]) -> BTreeMap<Group, Vec<&Operation>> {
    let mut groups: BTreeMap<Group, Vec<&Operation>> = BTreeMap::new();
    for operation in operations {
        groups.entry(operation.group).or_default().push(operation);
    }
    groups
}

fn nav(groups: &BTreeMap<Group, Vec<&Operation>>) -> String {
    let mut nav = "<nav aria-label=\"Contents\">\n".to_owned();
    for (group, operations) in groups {
        let name = group.words().0;
        let _ = write!(nav, "<p><a href=\"#{name}\">{name}</a></p>\n<ul>\n");
        for operation in operations {
            let _ = writeln!(nav, "<li><a href=\"#{}\">{}</a></li>", operation.id, escaped(operation.title));
        }
        nav += "</ul>\n";
    }
    nav + "<p><a href=\"#objects\">Objects</a></p>\n<p><a href=\"#errors\">Errors</a></p>\n</nav>\n"
}

fn head(book: Book) -> String {
    let mut head = format!("<h1>{} <small>{}</small></h1>\n", book.title(), env!("CARGO_PKG_VERSION"));
    for paragraph in book.says().split("\n\n") {
        let _ = writeln!(head, "<p>{}</p>", prose(paragraph));
    }
    let _ = writeln!(head, "<p>{}</p>", prose(&format!("Send `Authorization: Bearer KEY`. {}", book.key())));
    head + "<p>For programs: <a href=\"openapi.json\">openapi.json</a>.</p>\n"
}

fn section(operation: &Operation, base: &str) -> String {
    let mut html = format!(
        "<article id=\"{id}\">\n<h3>{title}</h3>\n<p class=\"call\"><b class=\"{verb}\">{word}</b> <code>{path}</code></p>\n",
        id = operation.id,
        title = escaped(operation.title),
        verb = operation.verb.key(),
        word = operation.verb.word(),
        path = escaped(operation.path),
    );
    if !operation.says.is_empty() {
        let _ = writeln!(html, "<p>{}</p>", prose(operation.says));
    }
    let _ = writeln!(html, "<p class=\"access\">{}</p>", prose(&access(operation)));
    html += &params("In the path", operation.places);
    html += &params("In the query", operation.query);
    html += &body(operation);
    html += &example("Example", &curl(operation, base));
    html += &answers(operation);
    html + "</article>\n"
}

/// Who may call.
fn access(operation: &Operation) -> String {
    let who = match operation.access {
        Access::Open => "Needs no key.".to_owned(),
        Access::App => "Needs an app's key.".to_owned(),
        Access::Scope(scope) => format!("Needs the key of an app whose `scopes` list `{scope}`."),
        Access::Operator => "Needs the operator's token.".to_owned(),
    };
    let keyed = if operation.is_keyed { " May carry an `Idempotency-Key`." } else { "" };
    who + keyed
}

fn params(title: &str, params: &[Param]) -> String {
    if params.is_empty() {
        return String::new();
    }
    let rows = params.iter().map(|param| {
        let needed = if param.is_required { "" } else { "optional" };
        row(param.name, &kind((param.kind)()), needed, param.says)
    });
    format!("<h4>{title}</h4>\n{}", table(rows))
}

fn body(operation: &Operation) -> String {
    match operation.body {
        Body::None | Body::Unread => String::new(),
        Body::Empty => "<h4>Body</h4>\n<p>None, or an empty object.</p>\n".to_owned(),
        Body::Raw => "<h4>Body</h4>\n<p>As the caller's own protocol says.</p>\n".to_owned(),
        Body::Json(object) => format!("<h4>Body</h4>\n{}", fields(&object())),
    }
}

/// The call as one would type it.
fn curl(operation: &Operation, base: &str) -> String {
    let asked: Vec<String> = operation
        .query
        .iter()
        .filter(|param| param.is_required)
        .map(|param| format!("{}={}", param.name, param.example))
        .collect();
    let query = if asked.is_empty() { String::new() } else { format!("?{}", asked.join("&")) };
    let path = operation.places.iter().fold(operation.path.to_owned(), |path, place| {
        path.replace(&format!("{{{}}}", place.name), place.example)
    });
    let mut call = format!("curl -s '{base}{path}{query}'");
    if operation.verb == super::Verb::Post {
        call += " -X POST";
    }
    if operation.access != Access::Open {
        call += " \\\n  -H 'Authorization: Bearer KEY'";
    }
    if let Body::Json(object) = operation.body {
        let example = object().example().unwrap_or_default();
        let _ = write!(call, " \\\n  -H 'content-type: application/json' \\\n  -d '{example}'");
    }
    call
}

fn answers(operation: &Operation) -> String {
    let mut html = "<h4>Answers</h4>\n<dl>\n".to_owned();
    for reply in operation.replies {
        let status = reply.status.map_or_else(|| "any".to_owned(), |status| status.to_string());
        let what = match reply.content {
            Content::None => String::new(),
            Content::Json(object) => link(&object()),
            Content::List(object) => format!("a page of {}", link(&object())),
            Content::Media(media_type) => format!("<code>{}</code>", escaped(media_type)),
        };
        let _ = writeln!(html, "<dt>{status} {what}</dt>\n<dd>{}</dd>", prose(reply.says));
    }
    for refusal in operation.all_refusals() {
        let row = refusal.row();
        let _ = writeln!(
            html,
            "<dt class=\"refusal\">{} <a href=\"#{}\"><code>{}</code></a></dt>",
            row.status.as_u16(),
            refusal.name(),
            row.code
        );
    }
    html += "</dl>\n";
    for reply in operation.replies {
        if let Content::Json(object) | Content::List(object) = reply.content
            && let Some(example_of) = object().example()
        {
            return html + &example("Example of an answer", &pretty(&example_of));
        }
    }
    html
}

fn forms(objects: &BTreeMap<&'static str, Object>) -> String {
    let mut html = "<section id=\"objects\">\n<h2>Objects</h2>\n".to_owned();
    for object in objects.values() {
        let _ = write!(
            html,
            "<article id=\"{name}\">\n<h3>{name}</h3>\n<p>{says}</p>\n{fields}</article>\n",
            name = object.name,
            says = prose(object.says),
            fields = fields(object)
        );
    }
    html + "</section>\n"
}

fn refusals(operations: &[Operation]) -> String {
    let mut html = "<section id=\"errors\">\n<h2>Errors</h2>\n<dl>\n".to_owned();
    let used = |refusal: &&Refusal| operations.iter().any(|op| op.all_refusals().contains(refusal));
    for refusal in Refusal::ALL.iter().filter(used) {
        let row = refusal.row();
        let _ = writeln!(
            html,
            "<dt id=\"{}\">{} <code>{}</code></dt>\n<dd>{}</dd>",
            refusal.name(),
            row.status.as_u16(),
            row.code,
            prose(row.when)
        );
    }
    html + "</dl>\n</section>\n"
}

fn fields(object: &Object) -> String {
    table(
        object
            .fields
            .iter()
            .map(|field| row(field.name, &kind(field.kind.clone()), presence(field), field.says)),
    )
}

const fn presence(field: &Field) -> &'static str {
    match (field.is_required, field.is_nullable) {
        (true, false) => "",
        (true, true) => "or null",
        (false, false) => "optional",
        (false, true) => "optional, or null",
    }
}

fn table(rows: impl Iterator<Item = String>) -> String {
    format!("<div class=\"wide\"><table>\n{}</table></div>\n", rows.collect::<String>())
}

fn row(name: &str, kind: &str, presence: &str, says: &str) -> String {
    format!(
        "<tr><th scope=\"row\"><code>{}</code></th><td>{kind} <i>{presence}</i></td><td>{}</td></tr>\n",
        escaped(name),
        prose(says)
    )
}

/// What stands in a field, in words and links.
fn kind(kind: Kind) -> String {
    match kind {
        Kind::Leaf(schema) => leaf(&schema),
        Kind::Of(object) => link(&object()),
        Kind::OneOf(objects) => objects.iter().map(|object| link(&object())).collect::<Vec<_>>().join(" or "),
        Kind::ListOf(of) => format!("list of {}", self::kind(*of)),
    }
}

fn leaf(schema: &Value) -> String {
    let mut words = vec![plain(schema)];
    if let (Some(least), Some(most)) = (schema.get("minimum"), schema.get("maximum")) {
        words.push(format!("{least} to {most}"));
    }
    if let Some(most) = schema.get("maxLength") {
        words.push(format!("{} to {most} characters", schema.get("minLength").unwrap_or(&Value::from(0))));
    }
    if let Some(most) = schema.get("maxProperties") {
        words.push(format!("at most {most} entries"));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        words.push(format!("<code>{}</code>", escaped(pattern)));
    }
    if let Some(default) = schema.get("default") {
        words.push(format!("{default} where it is left out"));
    }
    words.join(", ")
}

/// The kind of a leaf, or its words where the set is closed.
fn plain(schema: &Value) -> String {
    let code = |word: &Value| format!("<code>{}</code>", escaped(word.as_str().unwrap_or_default()));
    if let Some(word) = schema.get("const") {
        return code(word);
    }
    if let Some(all) = schema.get("enum").and_then(Value::as_array) {
        let shown: Vec<String> = all.iter().take(WORDS_SHOWN).map(code).collect();
        let more = if all.len() > WORDS_SHOWN {
            format!(" and {} more", all.len() - WORDS_SHOWN)
        } else {
            String::new()
        };
        return shown.join(" ") + &more;
    }
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or("anything");
    match schema.get("format").and_then(Value::as_str) {
        Some(format) => format!("{kind} ({format})"),
        None => kind.to_owned(),
    }
}

fn link(object: &Object) -> String {
    format!("<a href=\"#{0}\">{0}</a>", object.name)
}

fn example(title: &str, text: &str) -> String {
    format!("<h4>{title}</h4>\n<pre tabindex=\"0\"><code>{}</code></pre>\n", escaped(text))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A sentence in which words between backticks are code.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for (place, part) in text.split('`').enumerate() {
        let part = escaped(part);
        if place % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html += &part;
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_between_backticks_are_code_and_nothing_is_markup() {
        assert_eq!(prose("a `b<c>` & d"), "a <code>b&lt;c&gt;</code> &amp; d");
        assert_eq!(prose("plain"), "plain");
    }

    #[test]
    fn bounds_are_told() {
        check(super::super::schema::whole(1..=5), "integer, 1 to 5");
        check(super::super::schema::text_of(1..=5), "string, 1 to 5 characters");
        check(super::super::schema::word("payment"), "<code>payment</code>");
        check(
            super::super::schema::whole(1..=100).or_default(20),
            "integer, 1 to 100, 20 where it is left out",
        );
        let name = "string, 1 to 64 characters, <code>^[A-Za-z0-9_-]{1,64}$</code>";
        check(super::super::schema::name(), name);

        #[track_caller]
        fn check(given: Kind, want: &str) {
            assert_eq!(kind(given), want);
        }
    }
}
