"""Comparing settings that were each trained with several seeds: what seeds and prompts leave open."""
