from .notebook import notebook_html as notebook_html
from .rendering import render as render
