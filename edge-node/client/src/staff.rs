//! The calls of those who hold a scanner: sign-in, PIN, shift, a colleague's word.

use eventify_protocol::{
    ids::{GateId, SignInId},
    lan::{
        Authorisation, AuthorisationRequest, People, PinProof, PinRequest, Shift, ShiftRequest,
        SignIn, SignInRequest, SignInState,
    },
};
use reqwest::Method;

use crate::{ClientError, Scanner, node::json};

impl Scanner {
    /// `GET /v1/people`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn people(&self) -> Result<People, ClientError> {
        self.call(Method::GET, "/v1/people", Vec::new()).await
    }

    /// `POST /v1/sign-ins`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn begin_sign_in(&self) -> Result<SignIn, ClientError> {
        let body = json(&SignInRequest {});
        self.call(Method::POST, "/v1/sign-ins", body).await
    }

    /// `GET /v1/sign-ins/{signInId}`; ask every second or two.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn sign_in(&self, sign_in: SignInId) -> Result<SignInState, ClientError> {
        let path = format!("/v1/sign-ins/{sign_in}");
        self.call(Method::GET, &path, Vec::new()).await
    }

    /// `POST /v1/pins`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn set_pin(&self, request: &PinRequest) -> Result<(), ClientError> {
        self.tell(Method::POST, "/v1/pins", json(request)).await
    }

    /// `POST /v1/shifts`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn begin_shift(
        &self,
        gate_id: GateId,
        proof: PinProof,
    ) -> Result<Shift, ClientError> {
        let body = json(&ShiftRequest { gate_id, proof });
        self.call(Method::POST, "/v1/shifts", body).await
    }

    /// `GET /v1/shifts/current`: none if nobody is on shift here.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn shift(&self) -> Result<Option<Shift>, ClientError> {
        let shift = self.call(Method::GET, "/v1/shifts/current", Vec::new());
        match shift.await {
            Ok(shift) => Ok(Some(shift)),
            Err(ClientError::Refused(refusal)) if refusal.error.code == "no_shift" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `DELETE /v1/shifts/current`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn end_shift(&self) -> Result<(), ClientError> {
        self.tell(Method::DELETE, "/v1/shifts/current", Vec::new())
            .await
    }

    /// `POST /v1/authorisations`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn authorise(&self, proof: PinProof) -> Result<Authorisation, ClientError> {
        let body = json(&AuthorisationRequest { proof });
        self.call(Method::POST, "/v1/authorisations", body).await
    }
}
