//! What of a type with a secret may be printed.

/// `Debug` for structs that hold a secret or a guest's name: the fields that are named, and `..` for the others.
/// So a field that is added later is not printed until somebody has thought of it.
#[macro_export]
macro_rules! debug_without_secrets {
    ($($name:ident { $($shown:ident),* }),+ $(,)?) => {$(
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), &self.$shown))*
                    .finish_non_exhaustive()
            }
        }
    )+};
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use uuid::Uuid;

    use crate::{
        ids::{GateId, PerformanceId, PersonId, ScanId, ScannerId, SignInId},
        lan::{AccessToken, PairingRequest, PinProof, PinRequest, ScanRequest, SignIn},
        sync::{DeviceCode, HolderEntry, Scan},
        time::CoreTime,
    };

    const ID: Uuid = Uuid::from_u128(7);

    fn secret() -> String {
        "SECRET".to_owned()
    }

    fn assert_hidden(values: &[&dyn Debug]) {
        for value in values {
            let printed = format!("{value:?}");
            assert!(!printed.contains("SECRET"), "{printed}");
            assert!(!printed.contains("199"), "{printed}");
        }
    }

    #[test]
    fn no_request_of_a_scanner_prints_its_secret() {
        assert_hidden(&[
            &ScanRequest {
                scan_id: ScanId(ID),
                gate_id: GateId(ID),
                token: secret(),
            },
            &PairingRequest {
                code: secret(),
                public_key: String::new(),
                label: "North".to_owned(),
            },
            &AccessToken {
                token: secret(),
                expires_in: 1,
            },
            &SignIn {
                sign_in_id: SignInId(ID),
                user_code: secret(),
                verification_uri: String::new(),
                verification_uri_complete: secret(),
                expires_in: 1,
            },
            &PinRequest {
                sign_in_id: SignInId(ID),
                pin: secret(),
            },
            &PinProof {
                person_id: PersonId(ID),
                pin: secret(),
            },
        ]);
    }

    #[test]
    fn no_message_between_core_and_node_prints_its_secret() {
        assert_hidden(&[
            &DeviceCode {
                user_code: secret(),
                verification_uri: String::new(),
                verification_uri_complete: secret(),
                expires_in_seconds: 1,
            },
            &HolderEntry {
                performance: PerformanceId(ID),
                sealed: vec![199; 4],
            },
            &Scan {
                scan: ScanId(ID),
                scanner: ScannerId(ID),
                gate: GateId(ID),
                token: secret(),
                deadline: CoreTime(1),
                replaces: Vec::new(),
                code: None,
            },
        ]);
    }
}
