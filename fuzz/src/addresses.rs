//! Base URLs against the parser that a host's fetch has.

use chatwire::provider::{BaseUrl, is_own_host};

/// A base URL that is accepted is read by a host as it was read here: the key goes to the host that was checked.
pub fn base_url(bytes: &[u8]) {
    crate::properties::requests::base_url(bytes);
    let text = String::from_utf8_lossy(bytes);
    let (text, page) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(base) = BaseUrl::parse(text, Some(page)) else {
        return;
    };
    // A host may refuse it (a number that is no address, a name it cannot encode), and then nothing is sent.
    let Ok(seen) = url::Url::parse(base.as_str()) else {
        return;
    };
    assert!(matches!(seen.scheme(), "http" | "https"));
    assert_eq!((seen.username(), seen.password()), ("", None), "{base:?}");
    assert_eq!((seen.query(), seen.fragment()), (None, None), "{base:?}");
    match seen.host() {
        Some(url::Host::Domain(host)) => assert_eq!(host, base.host(), "{base:?}"),
        // An address has many spellings; it is no provider's own host in any of them.
        Some(_) => assert!(!is_own_host(base.host()), "{base:?}"),
        None => panic!("a host: {base:?}"),
    }
    let port = base.origin().rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    assert!(
        seen.port().is_none() || port == Some(Ok(seen.port().unwrap_or_default())),
        "{base:?}"
    );
}
