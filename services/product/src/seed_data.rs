//! Sample products of a new catalog.

use contracts::Money;

use crate::domain::{NewProduct, NewUpload, Picture, PictureError};
use crate::repository::NewSample;

/// Columns: name, description, price in cents, category, stock, brand, sku.
type Row = (&'static str, &'static str, i64, &'static str, i64, &'static str, &'static str);

const PRODUCTS: &[Row] = &[
    (
        "Stoneware Mug Set",
        "Four mugs of glazed stoneware, 350 ml each; safe in the dishwasher and the microwave.",
        2999,
        "Kitchen",
        250,
        "Hearthware",
        "KIT-MUG-004",
    ),
    (
        "Chef's Knife 20 cm",
        "Forged from one piece of high-carbon steel, with a full tang and a walnut handle.",
        7950,
        "Kitchen",
        140,
        "Edgewell",
        "KIT-KNF-020",
    ),
    (
        "Cast Iron Skillet 26 cm",
        "Pre-seasoned skillet for the hob, the oven and the campfire.",
        4490,
        "Kitchen",
        120,
        "Hearthware",
        "KIT-SKL-026",
    ),
    (
        "Gooseneck Kettle",
        "Electric kettle of 0.9 l with a thin spout and a thermostat from 40 to 100 °C.",
        8900,
        "Kitchen",
        75,
        "Pourline",
        "KIT-KET-009",
    ),
    (
        "Burr Coffee Grinder",
        "Conical steel burrs with 30 settings, from espresso to French press.",
        11900,
        "Kitchen",
        60,
        "Pourline",
        "KIT-GRD-030",
    ),
    (
        "Beech Chopping Board",
        "Oiled beech, 40 × 28 cm, with a groove for juice on one side.",
        3250,
        "Kitchen",
        180,
        "Holzmann",
        "KIT-BRD-040",
    ),
    (
        "Wireless Headphones",
        "Over-ear headphones that cancel noise; 35 hours on a charge, 3.5 mm cable included.",
        14999,
        "Electronics",
        90,
        "Sonara",
        "ELE-HPH-035",
    ),
    (
        "Bluetooth Speaker",
        "Splash-proof speaker of 20 W for the bathroom and the beach; 12 hours of music.",
        5999,
        "Electronics",
        130,
        "Sonara",
        "ELE-SPK-020",
    ),
    (
        "USB-C Charger 65 W",
        "Two USB-C ports and one USB-A; charges a laptop and two phones at once.",
        3999,
        "Electronics",
        220,
        "Voltgrid",
        "ELE-CHG-065",
    ),
    (
        "Mechanical Keyboard",
        "75% layout with hot-swap switches, white backlight and a detachable cable.",
        8999,
        "Electronics",
        85,
        "Keysmith",
        "ELE-KBD-075",
    ),
    (
        "Power Bank 10,000 mAh",
        "Slim aluminium case, charges in two hours, fills a phone twice.",
        3499,
        "Electronics",
        160,
        "Voltgrid",
        "ELE-PWB-010",
    ),
    (
        "E-Reader 7 Inch",
        "Paper-like display with warm light; weeks of reading on a charge, 32 GB.",
        13900,
        "Electronics",
        55,
        "Folio",
        "ELE-RDR-007",
    ),
    (
        "The Lighthouse Keeper's Atlas",
        "A novel of maps, storms and a family that kept the light for a century. Hardcover, 412 pages.",
        2499,
        "Books",
        110,
        "Northwind Press",
        "BOO-LKA-412",
    ),
    (
        "Bread from Scratch",
        "Sixty recipes for sourdough, rye and rolls, with a timetable for each.",
        2995,
        "Books",
        95,
        "Larder Books",
        "BOO-BRD-060",
    ),
    (
        "A Short History of Clocks",
        "How people came to agree on the time, from water clocks to caesium. Paperback.",
        1650,
        "Books",
        70,
        "Northwind Press",
        "BOO-CLK-001",
    ),
    (
        "Night Sky Field Guide",
        "Star charts for each month, for the naked eye and binoculars.",
        1890,
        "Books",
        125,
        "Larkspur",
        "BOO-SKY-012",
    ),
    (
        "Dot Grid Notebook A5",
        "192 numbered pages of 100 g paper that takes ink; lies flat.",
        1495,
        "Books",
        240,
        "Folio",
        "BOO-NTB-192",
    ),
    (
        "Merino Crew Sweater",
        "Fine merino wool from one farm, knitted in one piece; machine washable.",
        8995,
        "Clothing",
        80,
        "Fellside",
        "CLO-SWT-M01",
    ),
    (
        "Organic Cotton T-Shirt",
        "Heavy jersey of 200 g organic cotton, cut straight; pre-shrunk.",
        2450,
        "Clothing",
        230,
        "Plainspun",
        "CLO-TSH-200",
    ),
    (
        "Waterproof Rain Jacket",
        "Three layers, taped seams, pit zips and a hood that fits over a helmet.",
        15900,
        "Clothing",
        65,
        "Fellside",
        "CLO-JKT-003",
    ),
    (
        "Wool Hiking Socks",
        "Two pairs with cushioned soles; they do not smell on the third day.",
        2290,
        "Clothing",
        200,
        "Fellside",
        "CLO-SCK-002",
    ),
    (
        "Canvas Belt",
        "Cotton canvas with a brass buckle; fits waists up to 110 cm.",
        1990,
        "Clothing",
        150,
        "Plainspun",
        "CLO-BLT-110",
    ),
    (
        "Linen Bed Sheet",
        "Washed European linen, 180 × 200 cm, with deep elastic corners.",
        7490,
        "Home",
        75,
        "Plainspun",
        "HOM-SHT-180",
    ),
    (
        "Desk Lamp",
        "Dimmable LED lamp with a jointed arm; 2,700 to 5,000 K.",
        6490,
        "Home",
        100,
        "Lumen & Co",
        "HOM-LMP-027",
    ),
    (
        "Soy Candle Cedar",
        "Hand-poured soy wax with cedar and orange; burns for 45 hours.",
        1850,
        "Home",
        190,
        "Hearthware",
        "HOM-CND-045",
    ),
    (
        "Wall Clock 30 cm",
        "Silent movement, ash frame, glass front; one AA battery.",
        3990,
        "Home",
        60,
        "Holzmann",
        "HOM-CLK-030",
    ),
    (
        "Yoga Mat 5 mm",
        "Natural rubber that grips when wet, 183 × 66 cm, with a strap.",
        5490,
        "Sports",
        115,
        "Stillpoint",
        "SPO-YGA-005",
    ),
    (
        "Insulated Bottle 750 ml",
        "Double-walled steel: cold for 24 hours, hot for 12.",
        2790,
        "Sports",
        210,
        "Trailhead",
        "SPO-BTL-750",
    ),
    (
        "Resistance Band Set",
        "Five bands from 5 to 25 kg with handles and an anchor for the door.",
        2190,
        "Sports",
        170,
        "Stillpoint",
        "SPO-BND-005",
    ),
    (
        "Trail Backpack 28 l",
        "Ventilated back, rain cover, pocket for a 2 l bladder; 980 g.",
        9490,
        "Sports",
        40,
        "Trailhead",
        "SPO-BPK-028",
    ),
];

/// Picture of each product by sku: the file, and its alternative text.
const PICTURES: &[(&str, &[u8], &str)] = &[
    ("KIT-MUG-004", include_bytes!("../sample-images/KIT-MUG-004.png"), "Four glazed stoneware mugs, stacked in pairs"),
    ("KIT-KNF-020", include_bytes!("../sample-images/KIT-KNF-020.png"), "Chef's knife with a walnut handle"),
    ("KIT-SKL-026", include_bytes!("../sample-images/KIT-SKL-026.png"), "Black cast iron skillet from above"),
    ("KIT-KET-009", include_bytes!("../sample-images/KIT-KET-009.png"), "Kettle with a thin curved spout"),
    ("KIT-GRD-030", include_bytes!("../sample-images/KIT-GRD-030.png"), "Coffee grinder with a hopper full of beans"),
    ("KIT-BRD-040", include_bytes!("../sample-images/KIT-BRD-040.png"), "Chopping board of beech with a groove"),
    ("ELE-HPH-035", include_bytes!("../sample-images/ELE-HPH-035.png"), "Over-ear headphones"),
    ("ELE-SPK-020", include_bytes!("../sample-images/ELE-SPK-020.png"), "Round bluetooth speaker"),
    ("ELE-CHG-065", include_bytes!("../sample-images/ELE-CHG-065.png"), "White charger with three sockets"),
    ("ELE-KBD-075", include_bytes!("../sample-images/ELE-KBD-075.png"), "Compact keyboard with an orange key"),
    ("ELE-PWB-010", include_bytes!("../sample-images/ELE-PWB-010.png"), "Slim power bank with four lights"),
    ("ELE-RDR-007", include_bytes!("../sample-images/ELE-RDR-007.png"), "E-reader with a page of text"),
    ("BOO-LKA-412", include_bytes!("../sample-images/BOO-LKA-412.png"), "Book cover with a lighthouse at night"),
    ("BOO-BRD-060", include_bytes!("../sample-images/BOO-BRD-060.png"), "Book cover with a loaf of bread"),
    ("BOO-CLK-001", include_bytes!("../sample-images/BOO-CLK-001.png"), "Book cover with a clock face"),
    ("BOO-SKY-012", include_bytes!("../sample-images/BOO-SKY-012.png"), "Book cover with a constellation"),
    (
        "BOO-NTB-192",
        include_bytes!("../sample-images/BOO-NTB-192.png"),
        "Notebook with a grid of dots and a red ribbon",
    ),
    ("CLO-SWT-M01", include_bytes!("../sample-images/CLO-SWT-M01.png"), "Green crew neck sweater"),
    ("CLO-TSH-200", include_bytes!("../sample-images/CLO-TSH-200.png"), "White T-shirt"),
    ("CLO-JKT-003", include_bytes!("../sample-images/CLO-JKT-003.png"), "Yellow rain jacket with a hood"),
    ("CLO-SCK-002", include_bytes!("../sample-images/CLO-SCK-002.png"), "Pair of grey socks with red stripes"),
    ("CLO-BLT-110", include_bytes!("../sample-images/CLO-BLT-110.png"), "Canvas belt with a brass buckle"),
    ("HOM-SHT-180", include_bytes!("../sample-images/HOM-SHT-180.png"), "Folded linen bed sheets"),
    ("HOM-LMP-027", include_bytes!("../sample-images/HOM-LMP-027.png"), "Desk lamp with a jointed arm, lit"),
    ("HOM-CND-045", include_bytes!("../sample-images/HOM-CND-045.png"), "Burning candle in a glass"),
    ("HOM-CLK-030", include_bytes!("../sample-images/HOM-CLK-030.png"), "Wall clock with an ash frame"),
    ("SPO-YGA-005", include_bytes!("../sample-images/SPO-YGA-005.png"), "Rolled yoga mat with a strap"),
    ("SPO-BTL-750", include_bytes!("../sample-images/SPO-BTL-750.png"), "Steel bottle with a screw cap"),
    ("SPO-BND-005", include_bytes!("../sample-images/SPO-BND-005.png"), "Five resistance bands in different colours"),
    ("SPO-BPK-028", include_bytes!("../sample-images/SPO-BPK-028.png"), "Red trail backpack"),
];

/// Product of a new catalog with its picture.
pub(crate) struct Sample {
    pub(crate) product: NewProduct,
    pub(crate) picture: Picture,
    pub(crate) alt_text: &'static str,
}

impl Sample {
    /// Returns the product and the reference to its picture.
    pub(crate) fn to_new(&self) -> NewSample {
        let alt_text = Some(self.alt_text.to_owned());
        let picture = NewUpload { name: self.picture.name.clone(), alt_text, primary: true };
        NewSample { product: self.product.clone(), picture: Some(picture) }
    }
}

/// Returns the sample products with their pictures, in the order of their ids.
///
/// # Errors
/// None in practice: a test reads each picture.
pub(crate) fn samples() -> Result<Vec<Sample>, PictureError> {
    let sample = |(product, (_, file, alt_text)): (NewProduct, &(&str, &[u8], &'static str))| {
        Ok(Sample { product, picture: Picture::parse(file)?, alt_text })
    };
    products().into_iter().zip(PICTURES).map(sample).collect()
}

fn products() -> Vec<NewProduct> {
    let product = |&(name, description, cents, category, stock_quantity, brand, sku): &Row| NewProduct {
        name: name.to_owned(),
        description: description.to_owned(),
        price: Money::from_cents(cents),
        category: category.to_owned(),
        stock_quantity,
        brand: Some(brand.to_owned()),
        sku: Some(sku.to_owned()),
    };
    PRODUCTS.iter().map(product).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sample_products_are_distinct_and_in_stock() {
        let products = products();
        let distinct = |field: fn(&NewProduct) -> Option<&String>| {
            products.iter().filter_map(field).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(products.len(), 30);
        assert_eq!(distinct(|product| Some(&product.name)), 30);
        assert_eq!(distinct(|product| product.sku.as_ref()), 30);
        assert_eq!(distinct(|product| Some(&product.category)), 6);
        assert!(products.iter().all(|product| (40..=250).contains(&product.stock_quantity)));
        assert!(products.iter().all(|product| product.description.len() > 20 && !product.price.is_zero()));
    }

    #[test]
    fn each_product_has_a_small_picture_of_its_own() {
        let samples = samples().unwrap();
        let names: BTreeSet<_> = samples.iter().map(|sample| sample.picture.name.as_str()).collect();
        assert_eq!((samples.len(), names.len(), PICTURES.len()), (30, 30, 30));
        for (sample, (sku, file, _)) in samples.iter().zip(PICTURES) {
            assert_eq!(sample.product.sku.as_deref(), Some(*sku), "the pictures are in the order of the products");
            assert!(file.len() < 16 * 1024, "{sku}");
            assert_eq!(sample.picture.bytes, *file, "{sku} has metadata");
        }
    }

    #[test]
    fn first_product_has_ample_stock() {
        let first = &products()[0];
        assert_eq!((first.price, first.stock_quantity), (Money::from_cents(2999), 250));
    }
}
