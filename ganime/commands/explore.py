"""The command that opens the web page of a generator of one's own."""

import click

from ganime.commands.tools import echo, find_model, generator_options, quiet_start
from ganime.data.names import show
from ganime.errors import InputError


@click.command()
@generator_options
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Of the page's address.  [default: any that is free]")
@click.option("--no-browser", is_flag=True, help="Do not open it, print its address only.")
def explore(run_name, model, port, no_browser):
    """Explore a generator's faces in the browser, which draws them itself.

    A wall of faces, sliders for the edits (if `edits` has found them), mixes, walks, downloads. The page is served to this
    computer only, and nothing is uploaded; `export --format web` writes the same page for others. Ctrl-C ends it.

    \b
    Examples:
      python cli.py explore
      python cli.py explore --run faces-default --port 8000 --no-browser
    """
    import webbrowser

    from ganime.exporting.serve import PageServer

    path = find_model(run_name, model)
    with quiet_start():  # TensorFlow says what is wrong with a generator that cannot be shown
        files = _page_of(path)
    try:
        server = PageServer(files, port)
    except OSError as error:
        raise InputError(f"--port {port}: {error.strerror}") from error
    with server:
        echo(f"{server.address} shows {show(path) if path else 'the generator that ships with ganime'}; Ctrl-C ends it")
        if not no_browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            echo("")


def _page_of(path):
    """The files of the page of a generator, with its edits if they have been found."""
    from ganime.exporting.export import find_edits, read_generator
    from ganime.exporting.facts import describe
    from ganime.exporting.web import page_files
    from ganime.generation.sampling import find_generator

    path = find_generator(path)
    chain = read_generator(path)
    return page_files(chain, describe(path, chain.latent_size, labels=chain.labels), find_edits(path))
