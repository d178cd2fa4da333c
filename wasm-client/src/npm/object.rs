//! Plain objects of JavaScript, read and written field by field. What has the wrong type counts as not there.
//! Nothing here is inlined: it is called a hundred times, and a browser downloads every byte.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use ebbtide_protocol::ByteString;
use ebbtide_protocol::packet::UserProperty;
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

#[inline(never)]
pub(super) fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(key)).unwrap_or(JsValue::UNDEFINED)
}

#[inline(never)]
pub(super) fn text(object: &JsValue, key: &str) -> Option<String> {
    get(object, key).as_string()
}

#[inline(never)]
pub(super) fn number(object: &JsValue, key: &str) -> Option<u32> {
    get(object, key).as_f64().map(|number| number as u32)
}

#[inline(never)]
pub(super) fn flag(object: &JsValue, key: &str) -> bool {
    get(object, key).is_truthy()
}

/// Text or bytes.
#[inline(never)]
pub(super) fn bytes(value: &JsValue) -> Option<Bytes> {
    if let Some(text) = value.as_string() {
        return Some(Bytes::from(text));
    }
    let array: &Uint8Array = value.dyn_ref()?;
    Some(Bytes::from(array.to_vec()))
}

/// Pairs of texts.
#[inline(never)]
pub(super) fn user_properties(value: &JsValue) -> Vec<UserProperty> {
    let Some(pairs) = value.dyn_ref::<Array>() else {
        return Vec::new();
    };
    let text = |value: JsValue| ByteString::from(value.as_string().unwrap_or_default());
    pairs
        .iter()
        .map(|pair| {
            let pair: &Array = pair.unchecked_ref();
            (text(pair.get(0)), text(pair.get(1)))
        })
        .collect()
}

/// An object under construction; what is not there is left out.
pub(super) struct Writer(Object);

impl Writer {
    pub(super) fn new() -> Self {
        Self(Object::new())
    }

    pub(super) fn set(&self, key: &str, value: impl Into<JsValue>) {
        // It fails for frozen objects only.
        let _ = Reflect::set(&self.0, &JsValue::from_str(key), &value.into());
    }

    pub(super) fn set_number(&self, key: &str, value: Option<u32>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    pub(super) fn set_text(&self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    pub(super) fn set_bytes(&self, key: &str, value: Option<&Bytes>) {
        if let Some(value) = value {
            self.set(key, Uint8Array::from(&value[..]));
        }
    }

    pub(super) fn set_user_properties(&self, key: &str, pairs: &[UserProperty]) {
        if pairs.is_empty() {
            return;
        }
        let pair = |(name, value): &UserProperty| -> JsValue {
            Array::of2(&JsValue::from_str(name), &JsValue::from_str(value)).into()
        };
        self.set(key, pairs.iter().map(pair).collect::<Array>());
    }

    pub(super) fn finish(self) -> JsValue {
        self.0.into()
    }
}
