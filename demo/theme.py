"""The look: ink on paper by day, paper on ink by night; colour is left to the people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

CSS_PATH = Path(__file__).with_name("style.css")
SANS = ("Inter", "ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Own theme, light and dark; only fonts of the system, nothing is fetched."""
    import gradio as gr

    ink = gr.themes.Color(
        c50="#f6f7f9", c100="#eceef2", c200="#dcdfe6", c300="#c2c7d1", c400="#98a0af", c500="#6c7686", c600="#4d5666",
        c700="#363e4c", c800="#222936", c900="#171c26", c950="#0e121a", name="ink",
    )  # fmt: skip
    teal = gr.themes.Color(
        c50="#effaf8", c100="#d5f2ec", c200="#ade5da", c300="#78d0c2", c400="#45b3a5", c500="#1f978a", c600="#117a70",
        c700="#10625b", c800="#124e4a", c900="#13413e", c950="#042625", name="teal",
    )  # fmt: skip
    base = gr.themes.Base(
        primary_hue=teal,
        secondary_hue=ink,
        neutral_hue=ink,
        radius_size=gr.themes.sizes.radius_lg,
        spacing_size=gr.themes.sizes.spacing_md,
        text_size=gr.themes.sizes.text_md,
        font=list(SANS),
        font_mono=list(MONO),
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_border_width="1px",
        block_border_width_dark="1px",
        block_shadow="none",
        block_shadow_dark="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_border_width_dark="0px",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_400",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_300",
        block_title_text_weight="600",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        input_background_fill="white",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_width="1px",
        input_border_width_dark="1px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_cancel_background_fill="#b0360f",
        button_cancel_background_fill_hover="#8f2b0b",
        button_cancel_background_fill_dark="#b0360f",
        button_cancel_background_fill_hover_dark="#8f2b0b",
        button_cancel_text_color="white",
        button_cancel_text_color_dark="white",
        button_border_width="1px",
        button_large_radius="*radius_md",
        button_small_radius="*radius_md",
        button_large_text_weight="600",
        checkbox_border_radius="4px",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_text_color_selected="*body_text_color",
        checkbox_label_text_color_selected_dark="*body_text_color",
    )
