"""Recipes, one file per family of operators."""
