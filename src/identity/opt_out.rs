use http::Extensions;

/// Leaves a request out of all reports: it is counted as withheld, and nothing of it is recorded.
///
/// Put it into the extensions of a request before the layer sees it. Calls that are made while the request is handled in the
/// scope of the [`identify`](crate::identify) layer are left out, too. Later,
/// [`IdentitySlot::do_not_report`](crate::IdentitySlot::do_not_report) does the same.
///
/// ```
/// use tower_reconify::DoNotReport;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(DoNotReport);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DoNotReport;

/// Leaves the content of a request and its answer out of the report: model, usage, ids, moments and lengths remain.
///
/// Put it into the extensions of a request before the layer sees it; later,
/// [`IdentitySlot::omit_content`](crate::IdentitySlot::omit_content) does the same.
///
/// ```
/// use tower_reconify::OmitContent;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(OmitContent);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OmitContent;

/// How much of an exchange is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Omission {
    #[default]
    Nothing,
    Content,
    Everything,
}

impl Omission {
    pub(crate) fn of(extensions: &Extensions) -> Self {
        if extensions.get::<DoNotReport>().is_some() {
            Self::Everything
        } else if extensions.get::<OmitContent>().is_some() {
            Self::Content
        } else {
            Self::Nothing
        }
    }
}
