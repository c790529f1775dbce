//! The calls about people: who works here, sign-in, shifts, acts, searches, counts.

use eventify_protocol::{
    ids::SignInId,
    lan::{
        ActAnswer, ActRequest, Authorisation, AuthorisationRequest, People, PinRequest,
        SearchAnswer, SearchRequest, Shift, ShiftRequest, SignIn, SignInRequest, SignInState,
        VenueCounts,
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

    /// `GET /v1/sign-ins/{signInId}`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn sign_in_state(&self, sign_in: SignInId) -> Result<SignInState, ClientError> {
        let path = format!("/v1/sign-ins/{sign_in}");
        self.call(Method::GET, &path, Vec::new()).await
    }

    /// `POST /v1/pins`. If the answer is lost, a second one is refused: the PIN may be set already.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn set_pin(&self, pin: &PinRequest) -> Result<(), ClientError> {
        self.order(Method::POST, "/v1/pins", json(pin)).await
    }

    /// `POST /v1/shifts`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn begin_shift(&self, shift: &ShiftRequest) -> Result<Shift, ClientError> {
        self.call(Method::POST, "/v1/shifts", json(shift)).await
    }

    /// `GET /v1/shifts/current`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`]; `no_shift` if nobody is on shift here.
    pub async fn current_shift(&self) -> Result<Shift, ClientError> {
        self.call(Method::GET, "/v1/shifts/current", Vec::new())
            .await
    }

    /// `DELETE /v1/shifts/current`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn end_shift(&self) -> Result<(), ClientError> {
        self.order(Method::DELETE, "/v1/shifts/current", Vec::new())
            .await
    }

    /// `POST /v1/authorisations`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn authorise(
        &self,
        request: &AuthorisationRequest,
    ) -> Result<Authorisation, ClientError> {
        self.call(Method::POST, "/v1/authorisations", json(request))
            .await
    }

    /// `POST /v1/acts`. [`Attempts`](crate::Attempts) says what to do after a failure.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn act(&self, act: &ActRequest) -> Result<ActAnswer, ClientError> {
        self.call(Method::POST, "/v1/acts", json(act)).await
    }

    /// `POST /v1/searches`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn search(&self, search: &SearchRequest) -> Result<SearchAnswer, ClientError> {
        self.call(Method::POST, "/v1/searches", json(search)).await
    }

    /// `GET /v1/counts`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn counts(&self) -> Result<VenueCounts, ClientError> {
        self.call(Method::GET, "/v1/counts", Vec::new()).await
    }
}
