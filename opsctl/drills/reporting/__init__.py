"""Reports: a document of blocks, made from recorded runs alone, as Markdown and as HTML."""
