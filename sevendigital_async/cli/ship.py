HELP="x"
def ship() -> None: "x"
