"""From the proposals of a photograph to instances with names, around any network that names regions."""
