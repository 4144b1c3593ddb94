//! A live value, put together from edits as the documentation says: for the tests of partial JSON, and for the fuzzer.

use serde_json::{Value, json};

/// The reference for how edits are applied: the stack of open places, as a path from the list that receives the value.
pub struct Live {
    root: Value,
    /// Keys and `None` for the last element, outermost first.
    places: Vec<Option<String>>,
}

impl Live {
    pub fn new() -> Self {
        Live {
            root: json!([]),
            places: Vec::new(),
        }
    }

    pub fn value(&self) -> Option<&Value> {
        self.root.get(0)
    }

    fn top(&mut self) -> &mut Value {
        let mut place = &mut self.root;
        for step in &self.places {
            place = match step {
                Some(key) => place.get_mut(key).expect("a member that is open"),
                None => place
                    .as_array_mut()
                    .and_then(|list| list.last_mut())
                    .expect("an element that is open"),
            };
        }
        place
    }

    /// Takes the edits and the open places of one `partial` event.
    pub fn apply(&mut self, event: &Value) {
        for (at, edit) in event["edits"].as_array().expect("edits").iter().enumerate() {
            if at > 0 {
                self.places.pop().expect("a place to close");
            }
            match (self.top(), edit) {
                (Value::Array(list), Value::Array(more)) => list.extend(more.iter().cloned()),
                (Value::Object(object), Value::Object(more)) => object.extend(more.clone()),
                (Value::String(text), Value::String(more)) => text.push_str(more),
                (place, edit) => panic!("{edit} is no edit of {place}"),
            }
        }
        for step in event["open"].as_array().expect("open") {
            self.places.push(step.as_str().map(str::to_owned));
            self.top();
        }
    }
}
