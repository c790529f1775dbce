//! QR codes of tokens: level M, alphanumeric, version 9 or smaller, a quiet zone of four modules, and the
//! ticket's short code under it as text.
//!
//! Deliberately not here: colours and logos inside the code. They cost the error correction that a
//! cracked phone screen needs.

mod caption;

use std::{fmt::Write as _, io::Cursor};

use image::{GrayImage, ImageFormat, Luma};
use qrcode::{Color, EcLevel, QrCode, Version};

use crate::short_code::ShortCode;
use caption::Caption;

/// The largest version that scanners at the gates are asked to read.
pub const MAX_VERSION: i16 = 9;

/// The margin that ISO/IEC 18004 asks for, in modules.
pub const QUIET_ZONE_MODULES: u32 = 4;

/// What a code of version [`MAX_VERSION`] holds at level M if it is all digits, the densest text.
/// Anything longer is refused without work.
const MAX_TEXT_BYTES: usize = 432;

/// How a code is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    module_px: u32,
    caption: Option<ShortCode>,
}

/// The size of a module is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a module is 1 to {} pixels wide", Options::MAX_MODULE_PX)]
pub struct InvalidModuleSize;

impl Options {
    /// The widest module, in pixels: a code of 61 modules across is then 1,952 pixels wide.
    pub const MAX_MODULE_PX: u32 = 32;

    /// Modules of this many pixels (in SVG: user units).
    ///
    /// # Errors
    /// [`InvalidModuleSize`] for 0 or more than [`Self::MAX_MODULE_PX`].
    pub fn with_module_px(module_px: u32) -> Result<Self, InvalidModuleSize> {
        if (1..=Self::MAX_MODULE_PX).contains(&module_px) {
            let caption = None;
            Ok(Self { module_px, caption })
        } else {
            Err(InvalidModuleSize)
        }
    }

    /// With the ticket's short code under the QR code.
    #[must_use]
    pub fn captioned(self, code: ShortCode) -> Self {
        let caption = Some(code);
        Self { caption, ..self }
    }
}

impl Default for Options {
    /// 8 pixels: about 5 cm at 254 dpi for the largest code.
    fn default() -> Self {
        Self {
            module_px: 8,
            caption: None,
        }
    }
}

/// The text does not fit the codes that gates read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// It needs more than version [`MAX_VERSION`] at level M.
    #[error("the text needs a QR code larger than version {MAX_VERSION}")]
    TooLong,
    /// The picture could not be written.
    #[error("the picture could not be written")]
    Encoding,
}

/// The code as a grey-scale PNG.
///
/// # Errors
/// [`QrError`].
pub fn png(text: &str, options: Options) -> Result<Vec<u8>, QrError> {
    let picture = Picture::of(text, options)?;
    let px = options.module_px;
    let image = GrayImage::from_fn(picture.width() * px, picture.height() * px, |x, y| {
        let dark = picture.is_dark(x / px, y / px);
        Luma([if dark { 0 } else { u8::MAX }])
    });
    let mut png = Cursor::new(Vec::new());
    image
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|_| QrError::Encoding)?;
    Ok(png.into_inner())
}

/// The code as an SVG document, black on white: one path, and one more for the short code, which the
/// title says to whoever can't see the picture.
///
/// # Errors
/// [`QrError::TooLong`].
pub fn svg(text: &str, options: Options) -> Result<String, QrError> {
    let picture = Picture::of(text, options)?;
    let (width, height) = (picture.width(), picture.height());
    let px = options.module_px;
    let side = picture.modules.side_with_margin();
    let code = path(width, 0..side, &picture)?;
    let caption = match options.caption {
        Some(short) => format!(
            "<g id=\"short-code\"><title>{short}</title><path d=\"{}\"/></g>",
            path(width, side..height, &picture)?
        ),
        None => String::new(),
    };
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" \
         viewBox=\"0 0 {width} {height}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{width}v{height}H0z\"/><path d=\"{code}\"/>{caption}</svg>",
        width * px,
        height * px
    ))
}

fn path(width: u32, rows: std::ops::Range<u32>, picture: &Picture) -> Result<String, QrError> {
    let mut path = String::new();
    for y in rows {
        for x in (0..width).filter(|x| picture.is_dark(*x, y)) {
            write!(path, "M{x} {y}h1v1h-1z").map_err(|_| QrError::Encoding)?;
        }
    }
    Ok(path)
}

/// The code with its margin, and the caption under that; in modules.
struct Picture {
    modules: Modules,
    caption: Option<Caption>,
}

impl Picture {
    fn of(text: &str, options: Options) -> Result<Self, QrError> {
        let modules = Modules::of(text)?;
        let caption = options.caption.map(|code| {
            let below = modules.side_with_margin();
            Caption::new(&code.to_string(), below, below)
        });
        Ok(Self { modules, caption })
    }

    fn width(&self) -> u32 {
        let caption = self.caption.as_ref().map_or(0, Caption::width);
        self.modules.side_with_margin().max(caption)
    }

    fn height(&self) -> u32 {
        let caption = self.caption.as_ref().map_or(0, Caption::height);
        self.modules.side_with_margin() + caption
    }

    fn is_dark(&self, x: u32, y: u32) -> bool {
        let side = self.modules.side_with_margin();
        if y >= side {
            return self.caption.as_ref().is_some_and(|it| it.is_dark(x, y));
        }
        let left = (self.width() - side) / 2;
        x.checked_sub(left)
            .is_some_and(|x| self.modules.is_dark(x, y))
    }
}

/// The version that the text needs, 1 to [`MAX_VERSION`].
///
/// # Errors
/// [`QrError::TooLong`].
pub fn version(text: &str) -> Result<i16, QrError> {
    code(text).map(|(_, version)| version)
}

fn code(text: &str) -> Result<(QrCode, i16), QrError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(QrError::TooLong);
    }
    let code =
        QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| QrError::TooLong)?;
    match code.version() {
        Version::Normal(version) if version <= MAX_VERSION => Ok((code, version)),
        Version::Normal(_) | Version::Micro(_) => Err(QrError::TooLong),
    }
}

struct Modules {
    side: u32,
    dark: Vec<bool>,
}

impl Modules {
    fn of(text: &str) -> Result<Self, QrError> {
        let (code, version) = code(text)?;
        let side = u32::try_from(17 + 4 * version).map_err(|_| QrError::TooLong)?;
        let dark = code
            .into_colors()
            .into_iter()
            .map(|color| color == Color::Dark)
            .collect();
        Ok(Self { side, dark })
    }

    fn side_with_margin(&self) -> u32 {
        self.side + 2 * QUIET_ZONE_MODULES
    }

    /// By position in the picture, margin included.
    fn is_dark(&self, x: u32, y: u32) -> bool {
        let inside = |at: u32| {
            at.checked_sub(QUIET_ZONE_MODULES)
                .filter(|at| *at < self.side)
        };
        let (Some(column), Some(row)) = (inside(x), inside(y)) else {
            return false;
        };
        self.dark
            .get((row * self.side + column) as usize)
            .copied()
            .unwrap_or(false)
    }
}
