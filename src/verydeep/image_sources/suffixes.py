"""The suffixes of image files: those that Pillow decodes, HEIC, and nothing else."""

IMAGE_SUFFIXES = frozenset(
    {
        ".apng", ".avif", ".avifs", ".blp", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit",
        ".fits", ".flc", ".fli", ".ftc", ".ftu", ".gbr", ".gif", ".heic", ".heics", ".heif", ".heifs",
        ".hif", ".icb",
        ".icns", ".ico", ".iim", ".im", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg",
        ".jpf", ".jpg", ".jpx", ".mpo", ".msp", ".pbm", ".pcd", ".pcx", ".pfm", ".pgm", ".png", ".pnm",
        ".ppm", ".psd", ".pxr", ".qoi", ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff",
        ".vda", ".vst", ".webp", ".xbm", ".xpm",
    }
)  # fmt: skip
"""In lower case. A fixed list, so that a data set is the same on every machine: a file whose format is not
installed is named as unreadable. Left out are formats that Pillow only identifies (BUFR, GRIB, HDF5, MPEG,
WMF) and PostScript, which is a program."""

COMMON_SUFFIXES = ".jpg, .png, .webp, .tif, .bmp, .gif"
"""For messages."""
