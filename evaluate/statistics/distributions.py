"""Student's t and the sign test by `scipy.special`: `scipy.stats` gives the same and takes seconds to import."""


def student_quantile(share: float, freedom: float) -> float:
    """Return what Student's t with so many degrees of freedom (infinity allowed) stays below in this share."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def student_tails(value: float, freedom: float) -> float:
    """Return the chance, 0 to 1, that Student's t lies at least as far from 0 as the value, on either side."""
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(value)))


def sign_test(wins: int, losses: int) -> float:
    """Return the exact two-sided chance of a split at least this uneven if both were as likely; 1 without any."""
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(wins, losses), wins + losses, 0.5))) if wins + losses else 1.0
