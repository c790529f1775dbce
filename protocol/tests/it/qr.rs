//! The codes that customers show: their size, their margin, and that both pictures are the same.

use eventify_protocol::{
    ids::{PerformanceId, TicketId},
    keys::{PrivateKey, Window},
    qr::{self, Options, QUIET_ZONE_MODULES, QrError},
    token::{Claims, MAX_TOKEN_CHARS, PREFIX, TicketSigner},
};
use image::{GrayImage, Luma};
use rqrr::PreparedImage;
use uuid::Uuid;

/// The two bits of the format information that say "M" (ISO/IEC 18004, table 12).
const ECC_LEVEL_M: u16 = 0b00;

/// The longest text that a token can be, of the alphabet that costs most.
fn longest() -> String {
    format!("{PREFIX}{}", "Z".repeat(MAX_TOKEN_CHARS - PREFIX.len()))
}

fn picture(text: &str, module_px: u32) -> GrayImage {
    drawn(text, Options::with_module_px(module_px).unwrap())
}

fn drawn(text: &str, options: Options) -> GrayImage {
    let png = qr::png(text, options).unwrap();
    image::load_from_memory(&png).unwrap().into_luma8()
}

/// What a reader of others' making reads in a picture.
fn read(image: &GrayImage) -> (String, u16) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut prepared = PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        image.get_pixel(x as u32, y as u32).0[0]
    });
    let codes = prepared.detect_grids();
    let [code] = codes.as_slice() else {
        panic!("one code, not {}", codes.len())
    };
    let (meta, text) = code.decode().unwrap();
    (text, meta.ecc_level)
}

#[test]
fn the_longest_token_needs_version_9_and_no_text_more() {
    assert_eq!(qr::version(&longest()), Ok(9));
    assert_eq!(
        qr::version(&format!("{}Z", longest())),
        Err(QrError::TooLong)
    );
    assert_eq!(
        qr::png(&"Z".repeat(100_000), Options::default()),
        Err(QrError::TooLong)
    );
}

#[test]
fn the_picture_has_its_size_and_a_white_margin() {
    for module_px in [1, 3, 8] {
        let image = picture(&longest(), module_px);
        let modules = 53 + 2 * QUIET_ZONE_MODULES;
        assert_eq!(
            image.dimensions(),
            (modules * module_px, modules * module_px)
        );
        let margin = QUIET_ZONE_MODULES * module_px;
        let inner = margin..modules * module_px - margin;
        for (x, y, Luma([grey])) in image.enumerate_pixels() {
            assert!(*grey == 0 || *grey == 255, "no grey in between");
            let inside = inner.contains(&x) && inner.contains(&y);
            assert!(inside || *grey == 255, "the margin is white at {x}, {y}");
        }
        let Luma([corner]) = *image.get_pixel(margin, margin);
        assert_eq!(
            corner, 0,
            "the finder pattern begins right after the margin"
        );
    }
}

#[test]
fn a_reader_of_others_reads_what_was_written() {
    let claims = Claims {
        ticket: TicketId(Uuid::from_u128(7)),
        performance: PerformanceId(Uuid::from_u128(9)),
        category: "STALLS".parse().unwrap(),
        not_before: 1_800_000_000,
        expiry: 1_800_020_000,
        revision: 1,
    };
    let window = Window {
        not_before: 0,
        not_after: i64::MAX,
    };
    let token = TicketSigner::new(PrivateKey::from_seed(&[1; 32]), window)
        .sign(&claims)
        .unwrap();
    for text in [token.as_str(), &longest()] {
        let read = read(&picture(text, 4));
        assert_eq!((read.0.as_str(), read.1), (text, ECC_LEVEL_M));
    }
}

/// A guest reads it out where the picture can't be read, and the picture is read all the same.
#[test]
fn the_short_code_is_printed_under_the_qr_code() {
    let code = "7K3QM-01T2B".parse().unwrap();
    let options = Options::with_module_px(4).unwrap().captioned(code);
    let image = drawn(&longest(), options);
    assert_eq!(read(&image).0, longest());
    let plain = picture(&longest(), 4);
    assert!(image.height() > plain.height());
    let dark = |image: &GrayImage, below: u32| {
        let pixels = image.enumerate_pixels();
        let dark = pixels.filter(|(_, y, grey)| *y >= below && **grey == Luma([0]));
        dark.count()
    };
    let printed = dark(&image, plain.height());
    assert!(printed > 500, "{printed} dark pixels");
    assert_eq!(
        dark(&image, 0),
        dark(&plain, 0) + printed,
        "nothing else is changed"
    );
    let other = options.captioned("7K3QM-01T2C".parse().unwrap());
    assert_ne!(drawn(&longest(), other), image);

    let svg = qr::svg(&longest(), options).unwrap();
    assert!(svg.contains("<title>7K3QM-01T2B</title>"));
    assert!(
        !qr::svg(&longest(), Options::default())
            .unwrap()
            .contains("<title>")
    );
}

#[test]
fn svg_and_png_show_the_same_modules() {
    let (image, svg) = (
        picture(&longest(), 1),
        qr::svg(&longest(), Options::default()).unwrap(),
    );
    let modules = image.width();
    let size = modules * 8;
    assert!(svg.starts_with(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size}\" height=\"{size}\" \
         viewBox=\"0 0 {modules} {modules}\""
    )));
    for (x, y, grey) in image.enumerate_pixels() {
        assert_eq!(
            svg.contains(&format!("M{x} {y}h1v1h-1z")),
            *grey == Luma([0]),
            "{x}, {y}"
        );
    }
}

#[test]
fn a_module_has_a_sensible_size() {
    assert!(Options::with_module_px(0).is_err());
    assert!(Options::with_module_px(Options::MAX_MODULE_PX + 1).is_err());
    Options::with_module_px(Options::MAX_MODULE_PX).unwrap();
}
