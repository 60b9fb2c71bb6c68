"""What pyproject.toml cannot say: the recipes, which lie beside the package here, are installed inside of it."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["pipeline", "pipeline.*"]), "pipeline.recipes"],
    package_dir={"pipeline.recipes": "recipes"},
)
