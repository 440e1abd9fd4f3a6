"""What `--help` says beyond the options: examples, and the keys of --set."""

import typer

from .engines import ENGINES, engine

__all__ = ["WithKeys", "examples"]


def examples(*lines):
    """Help's last paragraph."""
    return "Examples:\n\n" + "\n\n".join(f"`{line}`" for line in lines)


def _keys_help():
    """The parameters of each engine, read off its config."""
    from .setting import keys

    parts = []
    for name in ENGINES:
        module = engine(name)
        parts.append(f"Presets of **{name}**: " + ", ".join(f"`{preset}`" for preset in module.PRESETS) + ".")
        parts.append(f"Keys of --set for **{name}** (in brackets what stands beside the other defaults):")
        parts.append(
            "\n".join(
                f"- `{key.name}`: {key.meaning}. Default {str(key.default).lower()} [{key.range}]"
                for key in keys(module.PRESETS[module.DEFAULT])
            )
        )
    return "\n\n".join(parts)


class WithKeys(typer.core.TyperCommand):
    """A command whose help goes on with the keys; they are looked up only when it is asked for."""

    def format_help(self, ctx, formatter):
        self.help = f"{self.help}\n\n{_keys_help()}"
        super().format_help(ctx, formatter)
