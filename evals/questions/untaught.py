"""Lists things outside of the question bank's categories: the right answer is "I do not know what that is" for any image.

`ASKED` are the four that the benchmark always asks for; `UNTAUGHT` is the longer list for the measurement of nano's vocabulary.
"""

# fmt: off
ASKED: tuple[str, ...] = ("solar panels", "crosswalks", "greenhouses", "wind turbines")
UNTAUGHT: tuple[str, ...] = (  # things visible from above that are not in `CATEGORIES` and not a subclass of one
    "solar panels", "wind turbines", "greenhouses", "crosswalks", "zebra crossings", "parking lots", "railway tracks", "power lines",
    "pylons", "chimneys", "cooling towers", "smokestacks", "cranes", "shadows", "clouds", "snow", "glaciers", "volcanoes", "graveyards",
    "cemeteries", "golf courses", "playgrounds", "fences", "antennas", "satellite dishes", "manholes", "billboards", "statues",
    "people", "cows", "sheep", "elephants", "landslides", "wildfires", "smoke", "oil spills", "algae blooms", "coral reefs", "icebergs",
    "tents", "shipping containers", "pallets", "runways", "taxiways", "helipads", "railway stations", "trains", "locomotives",
    "bicycles", "motorcycles", "traffic lights", "street lamps", "tombs", "pyramids", "windmills", "dams", "locks and weirs",
    "substations", "transformers", "pipelines", "conveyor belts", "haystacks", "beehives", "umbrellas", "sculptures", "fountains",
    "craters", "trenches", "bunkers", "radar domes", "rockets", "submarines", "tractors", "cable cars", "ski lifts", "rollercoasters",
    "trampolines", "skate parks", "volleyball courts", "cricket grounds", "rugby posts", "stadium seats", "benches", "litter",
    "landfills", "scrap metal", "car tyres", "burnt areas", "salt ponds", "ice floes", "penguins", "whales",
)
FRAMES: tuple[str, ...] = ("{}", "Find all {}.", "Where are the {}?", "Show me the {}", "Could you mark the {}?", "How many {} are there?",
                           "the {} near the road", "the largest {}")
# fmt: on
