"""The checksums of "Checking object integrity for data uploads in Amazon S3", as headers carry them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

import base64
import hashlib

# CRC-64/NVME: reflected, https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-64-nvme
POLYNOMIAL = 0x9A6C9329AC4BC9B5


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (POLYNOMIAL if value & 1 else 0)
    return value


TABLE = [_entry(byte) for byte in range(256)]
ALL_ONES = (1 << 64) - 1


def crc64nvme(data: bytes) -> str:
    value = ALL_ONES
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return base64.b64encode((value ^ ALL_ONES).to_bytes(8, "big")).decode()


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
