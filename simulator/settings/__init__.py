"""What a world is: the settings of a scenario's parts, checked as a whole and frozen; nothing here draws."""
