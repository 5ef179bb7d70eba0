"""How long a round trip between two places of AWS typically takes. Pure.

Between regions it is reckoned from where they are: light in fibre covers 204 km in a
millisecond (its refractive index is 1.468), and cables are typically half as long again as
the great circle. This is what is typical, not what is promised: what providers publish lies
between five sixths of it and twice it, since short ways go around more. What passes must be
measured, which `opsctl verify` does.

Cities are those that AWS names its regions by (AWS General Reference, "Regions and
Availability Zones").
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

REGIONS: dict[str, tuple[str, float, float]] = {
    "af-south-1": ("Cape Town", -33.92, 18.42),
    "ap-east-1": ("Hong Kong", 22.32, 114.17),
    "ap-northeast-1": ("Tokyo", 35.68, 139.69),
    "ap-northeast-2": ("Seoul", 37.57, 126.98),
    "ap-northeast-3": ("Osaka", 34.69, 135.50),
    "ap-south-1": ("Mumbai", 19.08, 72.88),
    "ap-south-2": ("Hyderabad", 17.39, 78.49),
    "ap-southeast-1": ("Singapore", 1.35, 103.82),
    "ap-southeast-2": ("Sydney", -33.87, 151.21),
    "ap-southeast-3": ("Jakarta", -6.21, 106.85),
    "ap-southeast-4": ("Melbourne", -37.81, 144.96),
    "ca-central-1": ("Montreal", 45.50, -73.57),
    "ca-west-1": ("Calgary", 51.05, -114.07),
    "eu-central-1": ("Frankfurt", 50.11, 8.68),
    "eu-central-2": ("Zurich", 47.37, 8.54),
    "eu-north-1": ("Stockholm", 59.33, 18.07),
    "eu-south-1": ("Milan", 45.46, 9.19),
    "eu-south-2": ("Zaragoza", 41.65, -0.88),
    "eu-west-1": ("Dublin", 53.35, -6.26),
    "eu-west-2": ("London", 51.51, -0.13),
    "eu-west-3": ("Paris", 48.86, 2.35),
    "il-central-1": ("Tel Aviv", 32.08, 34.78),
    "me-central-1": ("Dubai", 25.20, 55.27),
    "me-south-1": ("Manama", 26.23, 50.59),
    "sa-east-1": ("Sao Paulo", -23.55, -46.63),
    "us-east-1": ("Ashburn", 39.04, -77.49),
    "us-east-2": ("Columbus", 39.96, -83.00),
    "us-west-1": ("San Jose", 37.34, -121.89),
    "us-west-2": ("Boardman", 45.84, -119.70),
}
"""By region: its city, degrees north, degrees east."""

FIBRE_KM_MS = 204.0
DETOUR = 1.5
EARTH_KM = 6_371.0
BETWEEN_ZONES_MS = 1.0
"""Between two zones of a region. Pings between all zones of 20 regions took 0.25 to 3.4 ms,
most of them about one (xkyle.com, "Measuring AWS Region and AZ Latency")."""


def distance_km(one: str, other: str) -> float:
    """Return the great circle between two regions. KeyError: one is unknown."""
    (_, north, east), (_, north2, east2) = REGIONS[one], REGIONS[other]
    lat, lat2 = radians(north), radians(north2)
    half = sin((lat2 - lat) / 2) ** 2
    half += cos(lat) * cos(lat2) * sin(radians(east2 - east) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(half))


def round_trip_ms(one: str, other: str) -> float:
    """Return the typical round trip between two zones of one region, or of two."""
    if one == other:
        return BETWEEN_ZONES_MS
    return BETWEEN_ZONES_MS + 2 * distance_km(one, other) * DETOUR / FIBRE_KM_MS


def partner(region: str) -> str:
    """Return the nearest other region of the same group (`us`, `eu`, ...); empty: there is none.

    Where copies of backups go unless somebody says otherwise: what destroys one city leaves
    the other, and data stays within the group.
    """
    group = region.split("-")[0]
    others = [one for one in REGIONS if one != region and one.split("-")[0] == group]
    return min(others, key=lambda one: distance_km(region, one), default="")
